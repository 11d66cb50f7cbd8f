/** Every action of the admin view, carried out in a browser on what is really stuck, and its effect read from the databases. */
import type { Locator, Page } from 'playwright-core';
import { waitFor } from '@concordat/testing';
import { AdminStage, PATIENCE_MS } from './admin-stage.js';
import { hasBrowser, itInBrowser, nightlyInBrowser } from './chromium.js';

describe('Settling a transaction in the admin view', () => {
  let stage: AdminStage;
  let forgotten: Readonly<Record<'dora' | 'hana', string>>;

  beforeAll(async () => {
    if (!hasBrowser) return;
    stage = await AdminStage.start();
    await stage.accounts('ann', 'ben', 'cleo', 'dora', 'emil', 'fay', 'gil', 'hana', 'ida', 'jon');
    // An orphan is shown once it has been one for a while, which passes meanwhile.
    forgotten = { dora: await stage.orphan('dora'), hana: await stage.orphan('hana') };
    stage.jamEast();
  });

  afterAll(() => stage?.dispose());

  const actions = (page: Page) => page.getByRole('region', { name: 'Actions' });

  async function untilSettled(id: string): Promise<void> {
    await waitFor(
      async () => (await stage.product.prepared()).every(({ gid }) => !gid.includes(id)),
      {
        what: `no branch of ${id} to be prepared`,
        timeoutMs: PATIENCE_MS,
      },
    );
  }

  itInBrowser('aborts what is undecided, for a reason, and nothing without one', async () => {
    const id = await stage.open('forgotten cart');
    const { page, context } = await stage.view({ path: `/transactions/${id}` });
    await actions(page).getByRole('button', { name: 'Abort …' }).click();
    const dialog = page.getByRole('dialog', { name: 'Abort' });
    const submit = dialog.getByRole('button', { name: 'Abort', exact: true });
    await dialog.getByText('A reason is needed.').waitFor();
    expect(await submit.getAttribute('aria-disabled')).toBe('true');
    await submit.click({ force: true });
    expect(await stage.status(id)).toBe('active');
    await dialog.getByLabel('Reason').fill('its client is gone');
    await submit.click();
    await page.getByText(/In the audit as/).waitFor();
    await stage.untilStatus(id, 'aborted');
    await page.getByText('abort decided').first().waitFor();
    await actions(page)
      .getByText(/Not now. ABORT was decided/)
      .waitFor();
    await context.close();
  });

  nightlyInBrowser(
    'asks again, saying what has changed, when it changed since somebody looked',
    async () => {
      const id = await stage.open('quick client');
      const { page, context } = await stage.view({ path: `/transactions/${id}` });
      await actions(page).getByRole('button', { name: 'Abort …' }).click();
      const dialog = page.getByRole('dialog', { name: 'Abort' });
      await dialog.getByLabel('Reason').fill('it looks forgotten');
      const participant = 'ledger-west';
      const operations = [{ name: 'credit', input: { account: 'fay', amount: 5 } }];
      await stage.product.request('POST', `/v1/transactions/${id}/branches`, {
        body: { participant, operations },
      });
      await stage.product.request('POST', `/v1/transactions/${id}/commit`);
      await stage.untilStatus(id, 'committed');
      await dialog.getByRole('button', { name: 'Abort', exact: true }).click();
      await dialog.getByText('Nothing was done: it has changed since you looked.').waitFor();
      await dialog.getByText('It is decided now: commit.').waitFor();
      await dialog.getByText(/It is not offered any more: COMMIT was decided/).waitFor();
      expect(await stage.status(id)).toBe('committed');
      await context.close();
    },
  );

  itInBrowser('never offers the opposite of the decision, and says why', async () => {
    const id = await stage.transfer('ann');
    const { page, context } = await stage.view({ role: 'force', path: `/transactions/${id}` });
    const abort = actions(page).getByRole('button', { name: 'Abort …' });
    expect(await abort.getAttribute('aria-disabled')).toBe('true');
    await actions(page)
      .getByText(/Not now. COMMIT was decided .* cannot be undone/)
      .waitFor();
    await actions(page).getByText('Against the decision').click();
    for (const button of await actions(page).getByRole('button', { name: /Force/ }).all()) {
      expect(await button.getAttribute('aria-disabled')).toBe('true');
    }
    await context.close();
  });

  nightlyInBrowser('shows a viewer everything, and lets them do nothing', async () => {
    const id = await stage.open('watched');
    const { page, context } = await stage.view({ role: 'viewer', path: `/transactions/${id}` });
    const abort = actions(page).getByRole('button', { name: 'Abort …' });
    expect(await abort.getAttribute('aria-disabled')).toBe('true');
    await actions(page)
      .getByText(/You are signed in as viewer/)
      .first()
      .waitFor();
    await abort.click({ force: true });
    expect(await page.getByRole('dialog').count()).toBe(0);
    await context.close();
  });

  itInBrowser(
    'plans, confirms and carries out bulk work, and shows the result of each',
    async () => {
      const ids = [await stage.open('batch of two'), await stage.open('batch of two')];
      const path = '/transactions?view=all&label=batch%20of%20two';
      const { page, context } = await stage.view({ path });
      // Rows that come while some are selected wait until somebody asks for them.
      for (const id of ids) await page.locator(`[data-row="${id}"]`).waitFor();
      for (const id of ids) await page.locator(`[data-row="${id}"] input[type=checkbox]`).check();
      await page.getByText('2 transactions selected').waitFor();
      await page.getByRole('button', { name: 'Plan bulk work …' }).click();
      const dialog = page.getByRole('dialog', { name: 'Plan bulk work' });
      await dialog.getByLabel(/Abort the undecided/).check();
      await dialog.getByLabel('Reason').fill('the shop was closed');
      await dialog.getByRole('button', { name: 'Make the plan' }).click();
      await page.getByText('Nothing has been done yet.').waitFor();
      expect(await stage.status(ids[0] ?? '')).toBe('active');
      await page.getByRole('button', { name: 'Start' }).click();
      await page.getByText('2/2, 2 done').waitFor();
      for (const id of ids) await stage.untilStatus(id, 'aborted');
      await page.goto(stage.address('/operations'));
      await page.getByText('the shop was closed').waitFor();
      await context.close();
    },
  );

  nightlyInBrowser(
    'discards a plan without having done anything, also for who did not see it',
    async () => {
      const id = await stage.open('kept');
      const path = '/transactions?view=all&label=kept';
      const { page, context } = await stage.view({ path });
      await page.locator(`[data-row="${id}"] input[type=checkbox]`).check();
      await page.getByRole('button', { name: 'Plan bulk work …' }).click();
      const dialog = page.getByRole('dialog', { name: 'Plan bulk work' });
      await dialog.getByLabel(/Abort the undecided/).check();
      await dialog.getByLabel('Reason').fill('to see what it would do');
      await dialog.getByRole('button', { name: 'Make the plan' }).click();
      await page.getByText('Nothing has been done yet.').waitFor();
      const late = await context.newPage();
      await late.goto(page.url());
      await late.getByText('Nothing has been done yet.').waitFor();
      await late.keyboard.press('p');
      await page.getByRole('button', { name: 'Discard the plan' }).click();
      await page.getByText('cancelled').first().waitFor();
      await late.getByRole('button', { name: 'Start' }).click();
      await late.getByText(/has changed .* it is cancelled now. Nothing was done/).waitFor();
      await late.getByRole('button', { name: 'Start' }).waitFor({ state: 'detached' });
      expect(await stage.status(id)).toBe('active');
      await context.close();
    },
  );

  nightlyInBrowser(
    'forces an orphan that the register has forgotten, by its role and a typed word only',
    async () => {
      const gid = forgotten.dora;
      const view = await stage.view({ role: 'force', path: '/orphans' });
      const orphan = view.page.locator(`[data-row="${gid}"]`);
      await orphan.waitFor();
      await orphan.getByText('prepared, forgotten here').waitFor();
      await orphan.getByRole('button', { name: 'Force abort …' }).click();
      const dialog = view.page.getByRole('dialog', { name: /Force abort/ });
      const asked = (await dialog.locator('.asked').textContent()) ?? '';
      await dialog.getByLabel('Reason').fill('the other side was rolled back, accounting agrees');
      await dialog.getByLabel(/To confirm/).fill(asked.toLowerCase());
      await dialog.getByText('The confirmation has to be typed exactly.').waitFor();
      await dialog.getByRole('button', { name: 'Force abort' }).click({ force: true });
      expect(await stage.isPrepared(gid)).toBe(true);
      await dialog.getByLabel(/To confirm/).fill(asked);
      await dialog.getByRole('button', { name: 'Force abort' }).click();
      await waitFor(async () => !(await stage.isPrepared(gid)), { what: 'the orphan to be gone' });
      await view.context.close();
    },
  );

  nightlyInBrowser(
    'retries on one click, says what came of it, and shows the end as it comes',
    async () => {
      const id = await stage.transfer('ben');
      const { page, context } = await stage.view({ path: `/transactions/${id}` });
      await actions(page)
        .getByRole('button', { name: /Retry now/ })
        .first()
        .waitFor();
      await page.keyboard.press('r');
      await page.locator('.results').getByText('ledger-east').waitFor();
      expect(await stage.status(id)).toBe('committing');
      await stage.freeEast();
      await untilSettled(id);
      await page.getByText('committed').first().waitFor();
      stage.jamEast();
      await context.close();
    },
  );

  itInBrowser(
    'acknowledges a heuristic with reason and ticket, and keeps its evidence',
    async () => {
      const id = await stage.transfer('cleo', 'lost to a DBA');
      await stage.rollBackByHand(id);
      await stage.freeEast();
      await stage.untilStatus(id, 'heuristic-mixed');
      const { page, context } = await stage.view({ path: `/transactions/${id}` });
      await actions(page).getByRole('button', { name: 'Acknowledge …' }).click();
      const dialog = page.getByRole('dialog', { name: 'Acknowledge' });
      await dialog.getByLabel('Reason').fill('booked again manually');
      await dialog.getByText('A ticket is needed.').waitFor();
      await dialog.getByLabel('Ticket').fill('OPS-1204');
      await dialog.getByRole('button', { name: 'Acknowledge', exact: true }).click();
      await page.getByText(/In the audit as/).waitFor();
      await page
        .getByText(/booked again manually/)
        .first()
        .waitFor();
      expect(await stage.status(id)).toBe('heuristic-mixed');
      await page.goto(stage.address('/audit'));
      await page.getByText('OPS-1204').first().waitFor();
      await page.getByText('chain intact').waitFor();
      await context.close();
    },
  );

  itInBrowser(
    'finishes an orphan as the register says, and records an abort where no decision is on record',
    async () => {
      const { ledger_east: east, ledger_west: west } = await stage.abandon('gil');
      const id = transactionOf(west);
      const { page, context } = await stage.view({ role: 'force', path: '/orphans' });
      const cardOf = (at: Page, gid: string) => at.locator(`[data-row="${gid}"]`);
      const card = (gid: string) => cardOf(page, gid);
      const open = async (at: Page, gid: string) => {
        await cardOf(at, gid).getByRole('button', { name: 'Finish as decided …' }).click();
        return at.getByRole('dialog', { name: /Finish as decided/ });
      };
      const finish = async (dialog: Locator, gid: string, consequence: RegExp): Promise<void> => {
        expect(await dialog.locator('.consequence').textContent()).toMatch(consequence);
        await dialog.getByRole('button', { name: 'Finish as decided' }).click();
        await waitFor(async () => !(await stage.isPrepared(gid)), {
          what: 'the orphan to be finished',
          timeoutMs: PATIENCE_MS,
        });
      };
      await card(west).getByText('prepared, unknown here').waitFor();
      for (const other of await card(west)
        .getByRole('button', { name: /Force|Record/ })
        .all()) {
        expect(await other.getAttribute('aria-disabled')).toBe('true');
      }
      const late = await context.newPage();
      await late.goto(page.url());
      const seen = await open(late, east);
      const undecided =
        /records an abort if no decision is on record, and sends the decision to ledger-west/;
      await finish(await open(page, west), west, undecided);
      expect(await stage.status(id)).toBe('aborted');
      expect(await stage.isPrepared(east)).toBe(true);
      await card(east).getByText('prepared, decided here').waitFor();
      await seen.getByRole('button', { name: 'Finish as decided' }).click();
      await seen.getByText('Nothing was done: it has changed since you looked.').waitFor();
      await seen.getByText('It is decided now: abort.').waitFor();
      expect(await stage.isPrepared(east)).toBe(true);
      await finish(seen, east, /Tells ledger-east to roll back, as the register says/);
      const balances = [stage.balance('ledger-east', 'gil'), stage.balance('ledger-west', 'gil')];
      expect(await Promise.all(balances)).toEqual([1_000, 1_000]);
      await waitFor(async () => (await stage.audited(id)).length === 4, { what: 'the answers' });
      const [done, asked] = ['done orphan-finish by force', 'asked orphan-finish by force'];
      expect(await stage.audited(id)).toEqual([done, asked, done, asked]);
      await context.close();
    },
  );

  describe('beside a coordinator that delivers nothing, and where force is not enabled', () => {
    beforeAll(async () => {
      if (!hasBrowser) return;
      await stage.product.restore();
      const env = { CONCORDAT_FORCE: 'disabled' };
      await stage.product.startService('coordinator-2', { crash: 'commit.pre=hang', env });
    });

    afterAll(() => stage?.product.remove('coordinator-2'));

    nightlyInBrowser(
      'forces a branch whose decision is no longer known, where enabled, by its role and typed words only',
      async () => {
        const gid = forgotten.hana;
        const id = transactionOf(gid);
        await waitFor(
          () =>
            stage.product
              .admin()
              .transaction(id)
              .catch(() => undefined),
          {
            what: 'the branch to be seen',
            timeoutMs: PATIENCE_MS,
          },
        );
        const path = `/transactions/${id}`;
        const force = (page: Page) =>
          actions(page).getByRole('button', { name: 'Force commit at ledger-west …' });
        const refuses = async (page: Page, why: RegExp): Promise<void> => {
          await actions(page).getByText('Against the decision').click();
          expect(await force(page).getAttribute('aria-disabled')).toBe('true');
          await actions(page).getByText(why).first().waitFor();
          await force(page).click({ force: true });
          expect(await page.getByRole('dialog').count()).toBe(0);
        };
        const operator = await stage.view({ path });
        await refuses(operator.page, /signed in as operator, and this needs a force key/);
        await operator.context.close();

        const { page, context } = await stage.view({ role: 'force', path });
        await page.goto(`${stage.product.url('coordinator-2')}/admin${path}`);
        await refuses(page, /Force is disabled here: .*CONCORDAT_FORCE=enabled/);
        await page.goto(stage.address(path));
        await actions(page).getByText('Against the decision').click();
        await force(page).click();
        const dialog = page.getByRole('dialog', { name: 'Force commit at ledger-west' });
        expect(await dialog.locator('.consequence').textContent()).toMatch(
          /ledger-west commits its branch of .*, whatever was decided\. Every other service .* rolled back disagrees with ledger-west permanently/,
        );
        const asked = (await dialog.locator('.asked').textContent()) ?? '';
        expect(asked).toMatch(/^FORCE COMMIT \w{6}$/);
        const submit = dialog.getByRole('button', { name: 'Force commit' });
        await dialog.getByLabel(/To confirm/).fill(asked);
        await dialog.getByText('A reason is needed.').waitFor();
        await dialog.getByLabel('Reason').fill('the other side has committed, says its owner');
        await dialog.getByLabel(/To confirm/).fill(asked.replace('COMMIT', 'ABORT'));
        await submit.click({ force: true });
        expect([await stage.isPrepared(gid), await stage.audited(id)]).toEqual([true, []]);
        await dialog.getByLabel(/To confirm/).fill(asked);
        await submit.click();
        await waitFor(async () => (await stage.audited(id)).length === 2, {
          what: 'the force to be asked for and answered',
          timeoutMs: PATIENCE_MS,
        });
        expect(await stage.audited(id)).toEqual([
          'done force-commit-branch by force',
          'asked force-commit-branch by force',
        ]);
        expect(await stage.isPrepared(gid)).toBe(false);
        expect(await stage.balance('ledger-west', 'hana')).toBe(999);
        await context.close();
      },
    );

    itInBrowser(
      'retries many: a plan with the expected result of each, then the result of each',
      async () => {
        const label = 'undelivered';
        await stage.muteLedgers();
        const stuck = await Promise.all(
          ['ida', 'jon'].map((account) => stage.transfer(account, label, 'coordinator-2')),
        );
        const idle = await stage.open(label);
        const listed = () => stage.product.admin().transactions({ view: 'all', label });
        await waitFor(
          async () => {
            const { transactions } = await listed();
            const waits = transactions.filter((one) => one.status === 'committing');
            return transactions.length === 3 && waits.length === 2;
          },
          { what: 'all three to be on record', timeoutMs: PATIENCE_MS },
        );
        const { page, context } = await stage.view({
          path: `/transactions?view=all&label=${label}`,
        });
        for (const id of [...stuck, idle]) {
          await page.locator(`[data-row="${id}"] input[type=checkbox]`).check();
        }
        await page.getByRole('button', { name: 'Plan bulk work …' }).click();
        const dialog = page.getByRole('dialog', { name: 'Plan bulk work' });
        await dialog.getByLabel(/Retry now/).check();
        await dialog.getByLabel('Reason').fill('its coordinator hangs');
        await dialog.getByRole('button', { name: 'Make the plan' }).click();
        await page.getByText('Nothing has been done yet.').waitFor();
        const row = (id: string) => page.getByRole('row').filter({ hasText: id });
        for (const id of stuck) {
          await row(id)
            .getByText(/Sends COMMIT to .* now instead of later/)
            .waitFor();
        }
        await row(idle).getByText('Nothing is decided, so there is nothing to deliver.').waitFor();
        const prepared = async (id: string) =>
          (await stage.product.prepared()).filter((one) => one.gid.includes(id)).length;
        expect(await Promise.all(stuck.map(prepared))).toEqual([2, 2]);
        await page.getByRole('button', { name: 'Start' }).click();
        await page.getByText('3/3, 2 done, 1 skipped').waitFor();
        for (const id of stuck) await row(id).getByText('Every branch acknowledged.').waitFor();
        expect(await Promise.all([...stuck, idle].map(prepared))).toEqual([0, 0, 0]);
        const balances = [stage.balance('ledger-east', 'ida'), stage.balance('ledger-west', 'jon')];
        expect(await Promise.all(balances)).toEqual([999, 1_001]);
        expect([await stage.status(idle), await stage.audited(idle)]).toEqual(['active', []]);
        for (const id of stuck) {
          expect(await stage.audited(id)).toEqual([
            'done retry by operator',
            'asked retry by operator',
          ]);
        }
        await context.close();
      },
    );

    // The last of these: it costs the second coordinator its life.
    nightlyInBrowser('goes on with bulk work whose coordinator died in the middle', async () => {
      const { product } = stage;
      const transactionIds = [await stage.open('unfinished'), await stage.open('unfinished')];
      const elsewhere = product.admin(product.operatorKey, 'coordinator-2');
      await waitFor(
        async () =>
          (await elsewhere.transactions({ view: 'all', label: 'unfinished' })).transactions
            .length === 2,
        { what: 'both to be on record', timeoutMs: PATIENCE_MS },
      );
      const plan = await elsewhere.planOperation({
        action: 'abort-undecided',
        transactionIds,
        reason: 'its shop is closed',
      });
      // Carried out, and the results are never written.
      const release = await product.hold(
        'concordat',
        `SELECT FROM concordat.operation_item WHERE operation = '${plan.operationId}' FOR UPDATE`,
      );
      try {
        await elsewhere.startOperation(plan);
        await product.untilWaiting('concordat', 1);
        await product.kill('coordinator-2');
        await product.endWaiting('concordat');
      } finally {
        await release();
      }
      const path = `/operations/${plan.operationId}`;
      const { page, context } = await stage.view({ path });
      await page.getByText('Its coordinator went away.').waitFor();
      await page.getByRole('button', { name: 'Leave the rest' }).waitFor();
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByText('2/2, 2 done').waitFor();
      for (const id of transactionIds) await stage.untilStatus(id, 'aborted');
      await context.close();
    });
  });

  nightlyInBrowser(
    'records a branch committed manually, but not while its owner lives and may still decide',
    async () => {
      const { product } = stage;
      await product.restore();
      await product.startService('coordinator-2', { crash: 'decide.pre=hang' });
      const earlier = new Set((await product.prepared()).map((one) => one.gid));
      void stage.transfer('emil', 'manual', 'coordinator-2').catch(() => undefined);
      const fresh = async () =>
        (await product.prepared()).filter((one) => !earlier.has(one.gid)).sort(byDatabase);
      await waitFor(async () => (await fresh()).length === 2, { what: 'both branches' });
      const gid = (await fresh())[0]?.gid ?? '';
      await product.sql('ledger-east', `COMMIT PREPARED '${gid}'`);
      const { page, context } = await stage.view({ path: '/orphans' });
      const orphan = page.locator(`[data-row="${gid}"]`);
      await orphan.getByRole('button', { name: 'Record as heuristic …' }).click();
      const dialog = page.getByRole('dialog', { name: /Record as heuristic/ });
      expect(await dialog.locator('.consequence').textContent()).toMatch(
        /Records an abort if no decision is on record, and records that ledger-east has committed/,
      );
      await dialog.getByText('A reason is needed.').waitFor();
      await dialog.getByLabel('Reason').fill('a DBA committed it');
      await dialog.getByRole('button', { name: 'Record as heuristic' }).click();
      await page.getByText(/Not now: its owner lives and decides/i).waitFor();
      const id = transactionOf(gid);
      expect((await stage.audited(id)).map((one) => one.split(' ')[1])).toContain(
        'orphan-record-heuristic',
      );
      await product.remove('coordinator-2');
      await stage.untilStatus(id, 'heuristic-mixed');
      await context.close();
    },
  );
});

/** The transaction of a gid of ours: `cc:<cluster>:<transaction>:<branch>`. */
function transactionOf(gid: string): string {
  return gid.split(':')[2] ?? '';
}

function byDatabase(one: { readonly database: string }, other: { readonly database: string }) {
  return one.database < other.database ? -1 : 1;
}
