/**
 * The accessibility pass: axe-core, run inside the page. Guards WCAG 2.2 AA; a violation is reported with the
 * element and what to do about it.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Found {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

interface WithAxe {
  readonly axe: { run(context: Document, options: object): Promise<Found> };
}

/** The rules that look at colours: all that another colour scheme of the same page can break. */
const COLOURS = ['color-contrast', 'link-in-text-block'];

/** One line per violation; none is what a test wants. */
export function violations(page: Page): Promise<string[]> {
  return broken(page, { type: 'tag', values: TAGS });
}

/** The same for the colours alone, after a page has been looked at in another colour scheme. */
export function violationsOfColour(page: Page): Promise<string[]> {
  return broken(page, { type: 'rule', values: COLOURS });
}

async function broken(
  page: Page,
  runOnly: { readonly type: 'tag' | 'rule'; readonly values: readonly string[] },
): Promise<string[]> {
  await page.evaluate(source);
  const { violations: found } = await page.evaluate(
    (only) =>
      (window as unknown as WithAxe).axe.run(document, {
        runOnly: only,
        resultTypes: ['violations'],
      }),
    runOnly,
  );
  return found.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ html, failureSummary = '' }) =>
        `${id}: ${help}: ${html.slice(0, 160)} (${failureSummary.replace(/\s+/g, ' ')})`,
    ),
  );
}
