/**
 * The pages of docs/: every link to a heading leads somewhere, every page is on the menu, and every sample is run by a
 * test. Guards "the docs cannot go stale". The site that is made of them is built nightly (site.nightly.ts).
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DOCS, pages, placeOf, read, ROOT, rootPages } from './pages-of-docs.js';

/** Who runs, or compiles, the samples of a page. Blocks of `console` are said to a person only. */
const RUN_BY: Readonly<Record<string, string>> = {
  'README.md': 'test/e2e/newcomer.e2e-spec.ts',
  'docs/quick-start.md': 'test/e2e/newcomer.e2e-spec.ts',
  'docs/rest-guide.md': 'test/e2e/newcomer.e2e-spec.ts',
  'docs/adapters.md': 'test/hosts/page.nightly.ts',
  'docs/adapters/': 'test/orms/pages.spec.ts',
  'docs/deploy.md': 'test/fitness/compose.spec.ts',
  'docs/runbooks.md': 'test/fitness/compose.spec.ts',
  'docs/monitor.md': 'test/fitness/compose.spec.ts',
};

/** How a heading's anchor is made from its text. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** The text without its blocks of code, in which a bracket is no link and a hash no heading. */
const prose = (file: string): string => read(file).replace(/^```[\s\S]*?^```/gm, '');
const anchors = (file: string): string[] =>
  [...prose(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

describe('The pages', () => {
  it('lead only to headings that there are', () => {
    const lost: string[] = [];
    for (const page of [...pages, ...rootPages]) {
      for (const [, path = '', anchor = ''] of prose(page).matchAll(
        /\]\(([^)#\s]*)#([^)\s]+)\)/g,
      )) {
        if (/^[a-z]+:/.test(path)) continue;
        const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
        if (!file.endsWith('.md')) continue;
        if (!existsSync(resolve(ROOT, file)) || !anchors(file).includes(anchor)) {
          lost.push(`${page} → ${file}#${anchor}`);
        }
      }
    }
    expect(lost).toEqual([]);
  });

  it('are of a length that is read, but for two that are looked things up in', () => {
    const long = pages.filter((page) => !/adr\/|reference\/|wire-protocol|adapters\.md/.test(page));
    expect(long.filter((page) => read(page).split('\n').length > 400)).toEqual([]);
  });

  it('have no sample of shell or TypeScript that no test runs or compiles', () => {
    const runner = (page: string) =>
      Object.entries(RUN_BY).find(
        ([of]) => page === of || (of.endsWith('/') && page.startsWith(of)),
      );
    const unrun = [...pages, 'README.md']
      .filter((page) => /^```(sh|ts|js)$/m.test(read(page)))
      .filter((page) => {
        const [, test = ''] = runner(page) ?? [];
        return !existsSync(resolve(ROOT, test)) || test === '';
      });
    expect(unrun).toEqual([]);
  });

  it('are all on the menu', () => {
    const menu = resolve(DOCS, '.vitepress/sidebar.mjs');
    const print = `import { sidebar } from '${pathToFileURL(menu).href}'; console.log(JSON.stringify(sidebar))`;
    const args = ['--input-type=module', '-e', print];
    const sections = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as {
      readonly items: readonly { readonly link: string }[];
    }[];
    const links = sections.flatMap(({ items }) => items.map(({ link }) => link));
    const off = pages.map(placeOf).filter((one) => one !== 'index' && !links.includes(`/${one}`));
    expect(off).toEqual([]);
  });
});
