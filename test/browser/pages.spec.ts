/** Every page of the admin view, with real trouble on it: content, accessibility, narrow screens, hostile text. */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { hasBrowser, itInBrowser, nightlyInBrowser } from './chromium.js';
import { AdminStage, PATIENCE_MS, type View } from './admin-stage.js';
import { violations, violationsOfColour } from './axe.js';
import { layoutFaults, outOfSight, widen, WIDTHS, wordsFromLeft } from './layout.js';
import { dossierOf, statesOf } from './states.js';

const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{7*7}}`;

interface Trouble {
  readonly stuck: string;
  readonly hostile: string;
  readonly heuristic: string;
}

/** Every page: what it is called, where it is, and what is to be seen on it. */
const PAGES: readonly (readonly [name: string, path: (of: Trouble) => string, shows: string])[] = [
  ['overview', () => '/', 'In doubt, by age'],
  ['list of transactions', () => '/transactions?view=all', 'transfer'],
  ['page of a stuck transaction', ({ stuck }) => `/transactions/${stuck}`, 'Runbook'],
  ['page of a heuristic one', ({ heuristic }) => `/transactions/${heuristic}`, 'Runbook'],
  ['page of the participants', () => '/participants?name=ledger-east', 'ledger-east'],
  ['list of orphans', () => '/orphans', 'ledger-west'],
  ['list of operations', () => '/operations', 'No bulk work yet'],
  ['audit', () => '/audit', 'chain intact'],
  ['page of a dossier', () => '/dossier', 'Drop a dossier here'],
];

/** States whose page is held against axe as well: between them they show every part of it. */
const AUDITED = ['committing', 'heuristic-mixed', 'forgotten'];

describe('The admin view', () => {
  let stage: AdminStage;
  let trouble: Trouble;
  let stuck: string;

  beforeAll(async () => {
    if (!hasBrowser) return;
    stage = await AdminStage.start({ CONCORDAT_BLOCKING_AFTER_MS: '500' });
    await stage.accounts('ann', 'ben', 'cleo', 'dora', 'dora2');
    stage.jamEast();
    stuck = await stage.transfer('ann');
    const hostile = await stage.transfer('ben', HOSTILE);
    const heuristic = await stage.transfer('cleo');
    await stage.rollBackByHand(heuristic);
    await stage.orphan('dora');
    trouble = { stuck, hostile, heuristic };
  });

  afterAll(() => stage?.dispose());

  async function visit(path: string, shows: string, options = {}): Promise<View> {
    const view = await stage.view({ ...options, path });
    await view.page.getByText(shows).first().waitFor();
    return view;
  }

  itInBrowser('is signed into with a key, and out of again', async () => {
    const context = await stage.browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await page.goto(stage.address('/transactions'));
    await page.getByLabel('Key').fill('a key that does not exist');
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

  // One visit for all that is asked of a page: signing in and loading cost more than asking.
  itInBrowser.each(PAGES)(
    'shows the %s, breaking nothing, passing axe in light and dark, fitting 360 to 2,560 pixels',
    async (_, path, shows) => {
      const { page, context, faults } = await visit(path(trouble), shows);
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await violationsOfColour(page)).toEqual([]);
      expect(await layoutFaults(page)).toEqual([]);
      for (const width of WIDTHS.filter((one) => one !== page.viewportSize()?.width)) {
        await widen(page, width);
        await page.reload();
        await page.getByText(shows).first().waitFor();
        expect(await layoutFaults(page)).toEqual([]);
      }
      expect(faults).toEqual([]);
      await context.close();
    },
  );

  itInBrowser('shows hostile text as text, wherever it is stored', async () => {
    const places = [
      ['/transactions?view=all', HOSTILE],
      [`/transactions/${trouble.hostile}`, HOSTILE],
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

  itInBrowser(
    'says in one sentence why a transaction is stuck, and what happens next',
    async () => {
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
    },
  );

  nightlyInBrowser('names who waits for what an in-doubt branch holds', async () => {
    const waiting = stage.product
      .sql('ledger-east', `UPDATE account SET balance = balance + 1 WHERE id = 'ann'`)
      .catch(() => undefined);
    try {
      const { page, context } = await visit(`/transactions/${stuck}`, 'Lock impact');
      await page
        .getByText(/1 session waits/)
        .first()
        .waitFor();
      await page.getByText(/^pid \d+/).waitFor();
      await context.close();
    } finally {
      await stage.product.sql(
        'superuser',
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'UPDATE account SET balance = balance + 1%'`,
      );
      await waiting;
    }
  });

  describe('of a wait for a lock', () => {
    const whole = async ({ page, faults, context }: View) => {
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize({ width: 360, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
      expect(faults).toEqual([]);
      await context.close();
    };

    itInBrowser('names the session that holds the row, wherever one looks', async () => {
      const { ledger_west: connectionString } = stage.product.stack.databases;
      const psql = new pg.Client({ connectionString, application_name: 'psql' });
      await psql.connect();
      await psql.query(`BEGIN; SELECT FROM account WHERE id = 'ann' FOR UPDATE`);
      const id = await stage.open('waits for psql');
      const waiting = stage.change(id, 'ledger-west', 'ann');
      try {
        const held = /held by session pid \d+ of application psql, user ledger_west/;
        const view = await visit(`/transactions/${id}`, 'Branches');
        const why = view.page.getByRole('region', { name: 'Why, and what happens next' });
        await why.getByText(/waits for row .* at ledger-west, held by session pid/).waitFor();
        await view.page
          .getByRole('region', { name: 'Table of branches' })
          .getByText(held)
          .waitFor();
        await whole(view);
        const card = await visit('/participants?name=ledger-west', 'ledger-west');
        const blockers = card.page.getByLabel('Who holds others up at ledger-west');
        await blockers.getByText(/session pid \d+ of application psql/).waitFor();
        await whole(card);
        const list = await stage.view({ path: '/transactions?view=stuck' });
        await list.page
          .getByLabel('Sessions of others that hold branches up')
          .getByText(/session pid \d+ of application psql/)
          .waitFor();
        await whole(list);
      } finally {
        await psql.end();
        await waiting;
        await stage.rollBack(id);
      }
    });

    itInBrowser(
      'leads to the transaction that holds it, and draws the cycle that was',
      async () => {
        const older = await stage.open('older');
        const younger = await stage.open('younger');
        await stage.change(older, 'ledger-west', 'ann');
        await stage.change(younger, 'ledger-east', 'dora2');
        const waiting = stage.change(older, 'ledger-east', 'dora2');
        const { page, context } = await visit(`/transactions/${older}`, 'Branches');
        const branches = page.getByRole('region', { name: 'Table of branches' });
        await branches.getByText(/waits for row .* of account, held by/).waitFor();
        await branches
          .getByRole('link', { name: `…${younger.split('-')[0]?.slice(-6) ?? ''}` })
          .click();
        await page.waitForURL(new RegExp(younger));
        await page.getByRole('heading', { name: 'Holds others up' }).waitFor();
        await page.getByText(/1 session waits for what it holds at ledger-east, since/).waitFor();
        await context.close();

        expect(await stage.change(younger, 'ledger-west', 'ann')).toMatchObject({ status: 409 });
        await waiting;
        for (const [id, gone] of [
          [younger, 'This transaction, the youngest, gave way'],
          [older, 'Another gave way'],
        ] as const) {
          const view = await visit(`/transactions/${id}`, 'Cycle of waits, broken');
          await view.page.getByText(gone).waitFor();
          await view.page
            .getByRole('img', { name: /^Cycle of waits: …\w+, which waits for …/ })
            .waitFor();
          const words = view.page.locator('.cycle-words li');
          expect(await words.allInnerTexts()).toEqual([
            expect.stringMatching(/waited for .* at ledger-west, held by …/),
            expect.stringMatching(/waited for .* at ledger-east, held by …/),
          ]);
          await whole(view);
        }
        await stage.rollBack(older);
      },
    );
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

  nightlyInBrowser('offers a dossier that opens read-only, as it was', async () => {
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

  itInBrowser('says that it is stale when the coordinator falls silent, and recovers', async () => {
    const { page, context } = await visit('/', 'In doubt, by age');
    await page.getByText('live', { exact: true }).waitFor();
    await context.setOffline(true);
    await page.getByText(/^stale since/).waitFor({ timeout: 60_000 });
    await context.setOffline(false);
    await page.getByText('live', { exact: true }).waitFor({ timeout: 60_000 });
    await context.close();
  });

  nightlyInBrowser('shows every state at every width, each as a dossier of it', async () => {
    const { page, context } = await visit('/dossier', 'Drop a dossier here');
    for (const { name, detail } of statesOf(Date.now())) {
      await page.goto(stage.address('/dossier'));
      const file = {
        name: `${name}.json`,
        mimeType: 'application/json',
        buffer: dossierOf(detail),
      };
      await page.locator('input[type=file]').setInputFiles(file);
      await page.getByText('retry × 59, no-answer × 59').waitFor();
      for (const width of WIDTHS) {
        await widen(page, width);
        expect([name, await layoutFaults(page)]).toEqual([name, []]);
      }
      if (AUDITED.includes(name)) expect([name, await violations(page)]).toEqual([name, []]);
    }
    await context.close();
  });

  nightlyInBrowser(
    'names what would turn a label around, and a label of which nothing is seen',
    async () => {
      const turning = await stage.open('invoice\u202Egpj.exe');
      await stage.open('\u3164 \u200B');
      const hebrew = await stage.open('הזמנה order 42');
      const { page, context } = await visit('/transactions?view=all', 'invoice⟨U+202E⟩gpj.exe');
      expect(await page.title()).not.toMatch(/\u202E/);
      const row = page.locator(`[data-row="${hebrew}"]`);
      const [label, id] = [row.locator('.row-label'), row.locator('code').first()];
      const [labelBox, idBox] = [await label.boundingBox(), await id.boundingBox()];
      expect(labelBox!.x + labelBox!.width).toBeLessThanOrEqual(idBox!.x);
      // Read from right to left, as its first letter says, though the row reads from left to right.
      expect(await wordsFromLeft(label, ['הזמנה', 'order'])).toEqual(['order', 'הזמנה']);
      await page.getByRole('link', { name: /^a label of blanks/ }).click();
      await page.getByRole('heading', { name: 'a label of blanks' }).waitFor();
      await page.goto(stage.address(`/transactions/${turning}`));
      await page.getByRole('heading', { name: 'invoice⟨U+202E⟩gpj.exe' }).waitFor();
      expect(await page.title()).toBe('invoice⟨U+202E⟩gpj.exe · Concordat');
      expect(await page.locator('body').innerText()).not.toMatch(/\u202E/);
      await context.close();
    },
  );

  describe('of a database that cannot be seen', () => {
    const west = 'ledger-west';

    /** The database refuses every connection, or accepts them again: to its service it is down. */
    async function allowWest(allowed: boolean): Promise<void> {
      const { product } = stage;
      await product.sql('superuser', `ALTER DATABASE ledger_west ALLOW_CONNECTIONS ${allowed}`);
      const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger_west'`;
      if (!allowed) await product.sql('superuser', text);
    }

    /** Waits until the page says it of that card or row, and answers all that the page says. */
    async function says(view: View, words: RegExp): Promise<string> {
      await view.page.locator('main').getByText(words).first().waitFor();
      return view.page.locator('main').innerText();
    }

    itInBrowser('no page says that nothing is prepared there, nor after a restart', async () => {
      await waitFor(
        async () => {
          const { orphans } = await stage.product.admin().orphans();
          return orphans.some((one) => one.participant === west);
        },
        { what: 'the orphan in the west to be found', timeoutMs: PATIENCE_MS },
      );
      await allowWest(false);
      try {
        for (const restarts of [false, true]) {
          if (restarts) {
            await stage.product.kill(west);
            await stage.product.restart('coordinator');
            await stage.untilTakenOver(stuck); // By a coordinator that does not reach the west.
            const { branches } = await stage.product.admin().transaction(stuck);
            expect(branches.map((one) => one.outcome?.kind)).toEqual([undefined, 'committed']);
          }
          const view = await stage.view({ path: `/participants?name=${west}` });
          const card = view.page.locator(`#participant-${west}`);
          const words = /What is prepared there is not known; .* last seen/;
          await card.getByText(words).filter({ hasText: '; 0 commits undelivered' }).waitFor();
          const told = await card.innerText();
          expect(told).not.toMatch(/Nothing is prepared|0\/\d+/);
          expect(told).toMatch(/0 commits undelivered/);
          expect(await violations(view.page)).toEqual([]);

          await view.page.goto(stage.address('/'));
          const overview = await says(view, /What is prepared at ledger-west is not known\./);
          expect(overview).not.toMatch(/none found|no session blocked|Nothing needs attention\./);

          await view.page.goto(stage.address('/orphans'));
          const orphans = await says(view, /could not be compared, so what is prepared there/);
          expect(orphans).not.toMatch(/Every prepared branch/);
          if (!restarts) expect(orphans).toMatch(/not compared the last time/);
          const menu = view.page.getByRole('navigation', { name: 'Pages' });
          await menu.getByRole('link', { name: /^Orphans\s?(\d+\+|how many)/ }).waitFor();
          await view.context.close();
        }
      } finally {
        await allowWest(true);
        await stage.product.startDead();
      }
    });

    itInBrowser('a branch is "not known" while it cannot be looked for', async () => {
      const { product } = stage;
      product.arm(west, 'commit.pre=hang');
      const id = await stage.transfer('dora2');
      const view = await stage.view({ path: `/transactions/${id}` });
      const row = view.page.getByRole('row').filter({ hasText: west }).first();
      await row.getByText(/prepared for/).waitFor();
      await allowWest(false);
      try {
        await row.getByText('not known').waitFor();
        expect(await row.innerText()).not.toMatch(/not prepared/);
      } finally {
        await allowWest(true);
        await product.kill(west);
        await product.startService(west);
        // Delivered in the west before anybody looks at what is undelivered there; the east is jammed.
        await waitFor(
          async () => {
            const { branches } = await product.admin().transaction(id);
            const there = branches.find((one) => one.participant === west);
            return there?.outcome?.kind === 'committed';
          },
          { what: 'the commit to be delivered in the west', timeoutMs: PATIENCE_MS },
        );
      }
      await view.context.close();
    });
  });

  nightlyInBrowser(
    'retires a participant that is gone, with a reason, and not one that holds something',
    async () => {
      const { product } = stage;
      await product.startService('inventory');
      const view = await stage.view({ path: '/participants?name=inventory' });
      const card = view.page.locator('#participant-inventory');
      await card.getByText('Nothing is prepared there.').waitFor();
      expect(await card.getByRole('button', { name: /Retire/ }).count()).toBe(0);
      await product.remove('inventory');
      await card.getByRole('button', { name: 'Retire inventory …' }).click();
      const dialog = view.page.getByRole('dialog', { name: 'Retire inventory' });
      await dialog.getByLabel(/Reason/).fill('its stock has moved');
      await dialog.getByRole('button', { name: 'Retire', exact: true }).click();
      await card.waitFor({ state: 'detached' });
      const { entries } = await product.admin().audit({});
      expect(entries.slice(0, 2).map((one) => `${one.phase} ${one.action}`)).toEqual([
        'done participant-retire',
        'asked participant-retire',
      ]);

      await product.kill('ledger-west'); // It holds the unknown branch.
      await view.page.goto(stage.address('/participants?name=ledger-west'));
      const refused = view.page.getByRole('button', { name: 'Retire ledger-west …' });
      await refused.and(view.page.locator('[aria-disabled=true]')).waitFor();
      await view.page.getByText(/Not now\. It had .* prepared when/).waitFor();
      await product.startService('ledger-west');
      await view.context.close();
    },
  );

  nightlyInBrowser('keeps the words of a heuristic outcome apart on a narrow screen', async () => {
    await stage.freeEast();
    await stage.untilStatus(trouble.heuristic, 'heuristic-mixed');
    const { page, context } = await visit('/transactions?view=all', 'heuristic · mixed');
    for (const width of WIDTHS) {
      await widen(page, width);
      expect(await layoutFaults(page)).toEqual([]);
    }
    await context.close();
  });

  nightlyInBrowser(
    'folds 64 branches and their attempts, so that the sentence, the next step and the audit are in sight',
    async () => {
      const id = await stage.commitForMany(64);
      const { page, context } = await visit(`/transactions/${id}`, 'Runbook');
      const all = page.getByRole('button', { name: 'Show all 64 branches' });
      expect(await all.count()).toBeGreaterThan(1);
      const again = page.getByRole('button', { name: /^Retry now/ });
      expect(await again.filter({ visible: true }).count()).toBe(1);
      await again.first().click();
      const toAudit = page.getByRole('link', { name: /in the audit, the last by/ });
      const [why, next] = [page.locator('.why-why'), page.locator('.why-next')];
      for (const width of WIDTHS) {
        await widen(page, width);
        expect(await outOfSight(page, { why, next, toAudit })).toEqual([]);
        expect(await layoutFaults(page)).toEqual([]);
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        expect(height).toBeLessThan(width < 1_000 ? 9_500 : 5_000);
      }
      await toAudit.click();
      const audit = await page.getByRole('heading', { name: 'Audit' }).boundingBox();
      expect(audit!.y).toBeLessThan(800);
      await page.getByRole('region', { name: 'Timeline' }).getByRole('button').click();
      await page.getByRole('img', { name: /warehouse-of-the-north-64/ }).waitFor();
      await context.close();
    },
  );
});
