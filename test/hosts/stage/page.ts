/** The code on a page of the documentation, for tests that do what the page says. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');

export interface Block {
  readonly language: string;
  readonly text: string;
  /** The file that it is the content of, where its first line names one. */
  readonly path: string | undefined;
}

/** The blocks of code under a heading, in order. Throws when there are none. */
export function blocksUnder(heading: string, page = 'docs/adapters.md'): Block[] {
  const text = readFileSync(resolve(ROOT, page), 'utf8');
  const from = text.indexOf(`\n## ${heading}\n`);
  const after = text.indexOf('\n## ', from + 1);
  const section = from === -1 ? '' : text.slice(from, after === -1 ? undefined : after);
  const blocks = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', code = '']) => ({
      language,
      text: code,
      path: /^\/\/ (src\/\S+)\n/.exec(code)?.[1],
    }),
  );
  if (blocks.length === 0) throw new Error(`${page} has no code under "${heading}"`);
  return blocks;
}
