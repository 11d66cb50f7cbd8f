/** Every page of the admin view, with real trouble on it: content, accessibility, narrow screens, hostile text. */
import { hasBrowser, itInBrowser } from './chromium.js';
import { AdminStage, type View } from './admin-stage.js';
import { violations } from './axe.js';

const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{7*7}}`;

describe('The pages of the admin view', () => {
  let stage: AdminStage;
  let stuck: string;
  let hostile: string;
  let heuristic: string;
  let paths: readonly (readonly [name: string, path: string, shows: string])[] = [];

  beforeAll(async () => {
    if (!hasBrowser) return;
    stage = await AdminStage.start();
    await stage.accounts('ann', 'ben', 'cleo', 'dora');
    await stage.jamEast();
    stuck = await stage.transfer('ann');
    hostile = await stage.transfer('ben', HOSTILE);
    heuristic = await stage.transfer('cleo');
    await stage.rollBackByHand(heuristic);
    await stage.orphan('dora');
    paths = [
      ['overview', '/', 'In doubt, by age'],
      ['transactions', '/transactions?view=all', 'transfer'],
      ['one transaction', `/transactions/${stuck}`, 'Runbook'],
      ['participants', '/participants?name=ledger-east', 'ledger-east'],
      ['orphans', '/orphans', 'ledger-west'],
      ['operations', '/operations', 'No bulk work yet'],
      ['audit', '/audit', 'chain intact'],
      ['dossier', '/dossier', 'Drop a dossier here'],
    ];
  });

  afterAll(() => stage?.dispose());

  async function visit(path: string, shows: string, options = {}): Promise<View> {
    const view = await stage.view({ ...options, path });
    await view.page.getByText(shows).first().waitFor();
    return view;
  }

  itInBrowser('are signed into with a key, and out of again', async () => {
    const context = await stage.browser.newContext();
    const page = await context.newPage();
    await page.goto(stage.address('/transactions'));
    await page.getByLabel('Key').fill('a key that nobody has');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page
      .getByRole('alert')
      .getByText(/not known/)
      .waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('Key').fill(stage.key('operator'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Transactions' }).waitFor();
    expect(await page.evaluate(() => document.cookie)).toBe('');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Key').waitFor();
    await page.reload();
    await page.getByLabel('Key').waitFor();
    await context.close();
  });

  itInBrowser('show what they are about, and break nothing doing so', async () => {
    for (const [, path, shows] of paths) {
      const { context, faults } = await visit(path, shows);
      expect([path, faults]).toEqual([path, []]);
      await context.close();
    }
  });

  itInBrowser.each(['light', 'dark'] as const)('pass axe in %s', async (scheme) => {
    for (const [, path, shows] of paths) {
      const { page, context } = await visit(path, shows, { scheme });
      expect([path, await violations(page)]).toEqual([path, []]);
      await context.close();
    }
  });

  itInBrowser('fit a screen of 360 pixels without scrolling sideways', async () => {
    for (const [, path, shows] of paths) {
      const { page, context } = await visit(path, shows, { width: 360 });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect([path, width]).toEqual([path, 360]);
      await context.close();
    }
  });

  itInBrowser('show hostile text as text, wherever it is stored', async () => {
    const places = [
      ['/transactions?view=all', HOSTILE],
      [`/transactions/${hostile}`, HOSTILE],
      [`/transactions?view=all&label=${encodeURIComponent(HOSTILE)}`, HOSTILE],
      ['/transactions/%3Cimg%20src=x%20onerror=pwned=1%3E', '<img src=x'],
      [`/participants?name=${encodeURIComponent(HOSTILE)}`, HOSTILE],
    ] as const;
    for (const [path, shows] of places) {
      const { page, context, faults } = await visit(path, shows);
      const pwned = await page.evaluate(() => 'pwned' in window || document.images.length > 0);
      expect([path, pwned]).toEqual([path, false]);
      expect(faults.filter((fault) => /Content Security Policy/.test(fault))).toEqual([]);
      await context.close();
    }
  });

  itInBrowser('say in one sentence why a transaction is stuck, and what happens next', async () => {
    const { page, context } = await visit(`/transactions/${stuck}`, 'Runbook');
    const why = page.getByRole('region', { name: 'Why, and what happens next' });
    await why
      .getByText(/ledger-east/)
      .first()
      .waitFor();
    await why.getByText('Next', { exact: true }).waitFor();
    await page.getByRole('img', { name: /Decision: commit/ }).waitFor();
    const sql = await page.locator('.sql').allInnerTexts();
    expect(sql.join('\n')).toMatch(/COMMIT PREPARED/);
    expect(sql.join('\n')).not.toMatch(/ROLLBACK PREPARED/);
    await context.close();
  });

  itInBrowser('name who waits for what an in-doubt branch holds', async () => {
    const waiting = stage.product
      .sql('ledger-east', `UPDATE account SET balance = balance + 1 WHERE id = 'ann'`)
      .catch(() => undefined);
    const { page, context } = await visit(`/transactions/${stuck}`, 'Lock impact');
    await page
      .getByText(/1 session waits/)
      .first()
      .waitFor();
    await page.getByText(/^pid \d+/).waitFor();
    await context.close();
    await stage.product.sql(
      'superuser',
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'UPDATE account SET balance = balance + 1%'`,
    );
    await waiting;
  });

  itInBrowser('can be used by keyboard alone', async () => {
    const { page, context } = await visit('/transactions?view=all', 'transfer');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the page');
    await page.keyboard.press('/');
    await page.keyboard.type('label:transfer');
    await page.keyboard.press('Enter');
    await page.waitForURL(/label=transfer/);
    await page.locator('[data-row]').first().waitFor();
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('x');
    await page.getByText('1 transaction selected').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/transactions\/[0-9a-z]/);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('orph');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Orphans', exact: true }).waitFor();
    await context.close();
  });

  itInBrowser('hand out a dossier that opens read-only, as it was', async () => {
    const { page, context } = await visit(`/transactions/${stuck}`, 'Runbook');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export dossier' }).click(),
    ]);
    await page.goto(stage.address('/dossier'));
    await page.locator('input[type=file]').setInputFiles(await download.path());
    await page.getByText('A dossier, not the present.').waitFor();
    await page.getByText(stuck).first().waitFor();
    expect(await page.getByRole('button', { name: /Retry|Abort/ }).count()).toBe(0);
    await context.close();
  });

  itInBrowser(
    'say that they are stale when the coordinator falls silent, and recover',
    async () => {
      const { page, context } = await visit('/', 'In doubt, by age');
      await page.getByText('live', { exact: true }).waitFor();
      await context.setOffline(true);
      await page.getByText(/^stale since/).waitFor({ timeout: 60_000 });
      await context.setOffline(false);
      await page.getByText('live', { exact: true }).waitFor({ timeout: 60_000 });
      await context.close();
    },
  );
});
