/** The pages of docs/ and those beside it, for the tests that read them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const DOCS = resolve(ROOT, 'docs');

export const read = (file: string): string => readFileSync(resolve(ROOT, file), 'utf8');
const filesUnder = (folder: string, end: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => end.test(file) && !/(^|\/)(node_modules|dist|cache)\//.test(file))
    .map((file) => relative(ROOT, join(folder, file)))
    .sort();

export const pages = filesUnder(DOCS, /\.md$/);
export const rootPages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/README.md',
];

/** Where the site has a page. */
export const placeOf = (page: string): string => page.replace(/^docs\//, '').replace(/\.md$/, '');
