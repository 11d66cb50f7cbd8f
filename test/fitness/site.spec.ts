/**
 * The site made of docs/: it builds without a network, every link and anchor leads somewhere, every diagram is
 * drawn, every page is on the menu, and every sample is run by a test. Guards "the docs cannot go stale".
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCS = resolve(ROOT, 'docs');
const SITE = resolve(DOCS, '.vitepress/dist');

const read = (file: string): string => readFileSync(resolve(ROOT, file), 'utf8');
const filesUnder = (folder: string, end: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => end.test(file) && !/(^|\/)(node_modules|dist|cache)\//.test(file))
    .map((file) => relative(ROOT, join(folder, file)))
    .sort();

const pages = filesUnder(DOCS, /\.md$/);
const rootPages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/README.md',
];

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
});

describe('The site', () => {
  const html = (place: string): string => readFileSync(join(SITE, `${place}.html`), 'utf8');
  const placeOf = (page: string): string => page.replace(/^docs\//, '').replace(/\.md$/, '');
  let built = '';

  beforeAll(() => {
    rmSync(SITE, { recursive: true, force: true });
    const command = resolve(DOCS, '.vitepress/site.mjs');
    built = execFileSync(process.execPath, [command], { cwd: ROOT, encoding: 'utf8' });
  }, 180_000);

  it('is built by one command, with a page for each page', () => {
    expect(built).toMatch(/built in docs\/\.vitepress\/dist/);
    const missing = [...pages, ...rootPages.slice(1)].filter(
      (page) => !existsSync(join(SITE, `${placeOf(page)}.html`)),
    );
    expect(missing).toEqual([]);
  });

  it('has every page on its menu', () => {
    const menu = html('quick-start');
    const off = pages
      .map(placeOf)
      .filter((place) => place !== 'index' && !menu.includes(`href="/${place}.html"`));
    expect(off).toEqual([]);
  });

  it('draws every diagram, so that none needs a script or a network', () => {
    for (const page of pages) {
      const diagrams = [...read(page).matchAll(/^```mermaid$/gm)].length;
      const drawn = [...html(placeOf(page)).matchAll(/<figure class="diagram"[^>]*><svg/g)].length;
      expect({ page, drawn }).toEqual({ page, drawn: diagrams });
    }
  });

  it('has every anchor that a page leads to', () => {
    const lost: string[] = [];
    for (const page of pages.map(placeOf)) {
      for (const [, place = '', hash = ''] of html(page).matchAll(
        /href="\/([^"#:]*)\.html#([^"]+)"/g,
      )) {
        if (!html(place).includes(`id="${decodeURIComponent(hash)}"`))
          lost.push(`${page} → ${place}#${hash}`);
      }
    }
    expect(lost).toEqual([]);
  });

  it('loads nothing from another host', () => {
    const loads =
      /(?:src|srcset)="(?:https?:)?\/\/[^"]*"|<link[^>]*href="(?:https?:)?\/\/[^"]*"|@import|url\(["']?(?:https?:)?\/\//;
    const found = [...pages.map((page) => `${placeOf(page)}.html`)].filter((file) =>
      loads.test(readFileSync(join(SITE, file), 'utf8')),
    );
    const styles = readdirSync(join(SITE, 'assets'))
      .filter((file) => file.endsWith('.css'))
      .filter((file) => loads.test(readFileSync(join(SITE, 'assets', file), 'utf8')));
    expect([...found, ...styles]).toEqual([]);
  });
});
