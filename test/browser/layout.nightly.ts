/**
 * Each measure of a page's layout sees a page that is broken. What is broken here, by a style sheet or a
 * click, is what a careless change of the view's styles and markup would do.
 */
import type { Page } from 'playwright-core';
import { hasBrowser, itInBrowser } from './chromium.js';
import { AdminStage } from './admin-stage.js';
import { layoutFaults, outOfSight, widen, WIDTHS, wordsFromLeft } from './layout.js';
import { dossierOf, statesOf, triedTenThousandTimes } from './states.js';

/** What is broken, by which rules, at which width, and what is said of it. */
const BREAKS: readonly (readonly [what: string, css: string, width: number, says: RegExp])[] = [
  ['a page wider than a phone', 'main { min-width: 700px }', 360, /the page is \d+ px wide/],
  ['a heading that does not wrap', 'h1 { white-space: nowrap; width: 900px }', 360, /px wide/],
  ['content that stops half-way', 'main { max-width: 1660px }', 2_560, /the content ends at/],
  ['a line drawn up', '.why-next { margin-top: -45px }', 1_280, /overlaps/],
  ['words that break anywhere', 'main * { word-break: break-all }', 360, /is broken in/],
  ['lines without height', 'main * { line-height: 0.4 }', 1_280, /overlaps/],
];

describe('The measures of the layout', () => {
  let stage: AdminStage;

  beforeAll(async () => {
    if (hasBrowser) stage = await AdminStage.start();
  });

  afterAll(() => stage?.dispose());

  /** The page of a dossier; without faults, which is looked at first. */
  async function dossier(detail: ReturnType<typeof triedTenThousandTimes>): Promise<Page> {
    const { page } = await stage.view({ path: '/dossier' });
    const file = { name: 'd.json', mimeType: 'application/json', buffer: dossierOf(detail) };
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByText(/^retry × \d+, no-answer × \d+$/).waitFor();
    return page;
  }

  const breakBy = (page: Page, css: string) =>
    page.evaluate((rules) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(rules);
      document.adoptedStyleSheets = [sheet];
    }, css);

  itInBrowser('see each way to break a page, and nothing where none is broken', async () => {
    const committing = statesOf(Date.now()).find(({ name }) => name === 'committing')!;
    const page = await dossier(committing.detail);
    for (const [what, css, width, says] of BREAKS) {
      await breakBy(page, '');
      await widen(page, width);
      expect([what, await layoutFaults(page)]).toEqual([what, []]);
      await breakBy(page, css);
      await widen(page, width);
      expect([what, (await layoutFaults(page)).join('\n')]).toEqual([
        what,
        expect.stringMatching(says),
      ]);
    }
    await page.context().close();
  });

  itInBrowser('see which way a text is read', async () => {
    const committing = statesOf(Date.now()).find(({ name }) => name === 'committing')!;
    const page = await dossier(committing.detail);
    await page.evaluate(() => {
      for (const tag of ['bdi', 'span']) {
        const line = document.createElement('p');
        const text = document.createElement(tag);
        text.id = `read-in-${tag}`;
        text.textContent = 'הזמנה order';
        line.append(text);
        document.querySelector('main')?.append(line);
      }
    });
    const words = ['הזמנה', 'order'];
    expect(await wordsFromLeft(page.locator('#read-in-bdi'), words)).toEqual(['order', 'הזמנה']);
    expect(await wordsFromLeft(page.locator('#read-in-span'), words)).toEqual(words);
    await page.context().close();
  });

  itInBrowser('ten thousand attempts are folded, at every width', async () => {
    const page = await dossier(triedTenThousandTimes(Date.now()));
    const rows = page.getByRole('region', { name: 'Table of events' }).locator('tbody tr');
    const parts = { why: page.locator('.why-why'), next: page.locator('.why-next') };
    const height = () => page.evaluate(() => document.documentElement.scrollHeight);
    for (const width of WIDTHS) {
      await widen(page, width);
      expect(await rows.count()).toBeLessThan(10);
      expect(await layoutFaults(page)).toEqual([]);
      expect(await outOfSight(page, parts)).toEqual([]);
      expect(await height()).toBeLessThan(width < 1_000 ? 9_500 : 5_000);
    }
    await page.getByRole('button', { name: 'Show each' }).click();
    expect(await rows.count()).toBeGreaterThan(9_000);
    await breakBy(page, '.why-why { margin-top: 800px }');
    await widen(page, 1_280);
    expect(await outOfSight(page, parts)).toEqual(['why', 'next']);
    await page.context().close();
  });
});
