/**
 * The site made of docs/: it builds without a network, every link and anchor leads somewhere, every diagram is
 * drawn, and every page is on the menu. Its pages by themselves are read in site.spec.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DOCS, pages, placeOf, read, ROOT, rootPages } from './pages-of-docs.js';

const SITE = resolve(DOCS, '.vitepress/dist');

describe('The site', () => {
  const html = (place: string): string => readFileSync(join(SITE, `${place}.html`), 'utf8');
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
