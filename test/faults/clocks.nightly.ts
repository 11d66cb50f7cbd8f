/**
 * S43: the wall clock of one node jumps an hour either way, or runs five times as fast. Deadlines,
 * leases and retries go by the monotonic clock, so nothing is aborted and nothing waits for it. And a
 * coordinator that is eight days off, alone and beside two others: it begins nothing and forgets nothing
 * until its clock is right, and no other one notices.
 */
import { waitFor } from '@concordat/testing';
import { madeAtMs, type TransactionId } from '@concordat/protocol';
import { Product, transferBody, type ServiceId } from '../stage/product.js';
import { command, vote } from '../cases/commands.js';
import { CaseStage } from '../cases/stage.js';
import { WrongClock } from './stage/wrong-clock.js';

const HOUR_MS = 3_600_000;
const HALF_AN_HOUR_MS = HOUR_MS / 2;
const DAY_MS = 24 * HOUR_MS;
const RETENTION_MS = 7 * DAY_MS;

describe('When the clock of one node is wrong', () => {
  let stage: CaseStage;
  let clock: WrongClock;

  beforeAll(async () => {
    clock = await WrongClock.make();
    stage = await CaseStage.start();
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(async () => {
    await stage?.dispose();
    await clock.dispose();
  });

  let opened = 0;

  /** Begins a transaction that stays open, with work done in the east. */
  async function open(): Promise<string> {
    opened += 1;
    const body = { label: 'open', timeoutMs: 600_000 };
    const begun = await stage.product.request('POST', '/v1/transactions', { body });
    const id = String(begun.body['transactionId']);
    await work(id, 'ledger-east');
    return id;
  }

  /** Opens an account of its own, so that it waits for no other. */
  async function work(id: string, participant: string): Promise<void> {
    const operations = [{ name: 'open', input: { account: `account-${opened}`, amount: 1 } }];
    const path = `/v1/transactions/${id}/branches`;
    const body = { participant, operations };
    expect(await stage.product.request('POST', path, { body })).toMatchObject({ status: 200 });
  }

  async function finish(id: string): Promise<void> {
    await work(id, 'ledger-west');
    const path = `/v1/transactions/${id}/commit`;
    expect(await stage.product.request('POST', path)).toMatchObject({ status: 200 });
    expect(await stage.completed(id)).toMatchObject({ status: 'committed' });
  }

  describe.each(['coordinator', 'ledger-west'] as const)('of %s', (node) => {
    beforeAll(async () => {
      await clock.preset(0);
      // So far that running five times as fast for the length of a test is within it.
      const env = { ...clock.env, CONCORDAT_CLOCK_BOUND_MS: '300000' };
      await stage.product.restart(node, { env });
    });

    afterAll(() => stage.product.restart(node));

    it.each([
      ['an hour ahead', HOUR_MS, 1],
      ['an hour behind', -HOUR_MS, 1],
      ['five times as fast', 0, 5],
    ])(
      'S43: %s: what is under way commits, what begins commits or is refused, what is in doubt is resolved',
      async (_, offsetMs, rate) => {
        const held = stage.wire('ledger-west').broker.rule('the vote', vote, 'hold');
        const id = await open();
        const underWay = stage.post(transferBody(100, { timeoutMs: 60_000 }));
        await held.waitForHit();
        await jump(offsetMs, rate);
        held.lift();
        expect(await underWay).toMatchObject({ status: 200 });
        await finish(id);
        if (node === 'coordinator' && offsetMs !== 0) {
          expect(await stage.post()).toMatchObject({ status: 503, body: { code: 'clock-off' } });
          await jump(0, 1);
        }
        for (let n = 0; n < 10; n++) expect(await stage.post()).toMatchObject({ status: 200 });
        const lost = stage
          .wire('coordinator')
          .broker.rule('a commit', command('commit', 'ledger-west'), 'drop', { times: 1 });
        expect(await stage.post()).toMatchObject({ status: 200 });
        await jump(offsetMs, rate);
        await lost.waitForHit();
        expect(await stage.moved()).toBe(1_200);
        await jump(0, 1);
        expect(await stage.post()).toMatchObject({ status: 200 });
        expect(await stage.moved()).toBe(1_300);
      },
    );

    /** Sets the clock of the node, and waits until it goes by it; what it reports stays right. */
    async function jump(offsetMs: number, rate: number): Promise<void> {
      await clock.set(stage.product.service(node), offsetMs, rate);
      const { body } = await stage.product.request('GET', '/v1/cluster');
      const offBy = Date.parse(String(body['serverTime'])) - Date.now();
      expect(Math.abs(offBy)).toBeLessThan(60_000);
    }
  });
});

describe('A coordinator that is eight days off, beside two that are not', () => {
  const OTHERS = ['coordinator-2', 'coordinator-3'] as const;
  const OFF = 'nothing begins and nothing is forgotten';
  let product: Product;
  let clock: WrongClock;

  beforeAll(async () => {
    clock = await WrongClock.make();
    product = await Product.start();
    for (const other of OTHERS) await product.startService(other);
    await product.openAccounts(100_000);
  });

  afterEach(() => product.restart('coordinator')); // With the clock of this machine.

  afterAll(async () => {
    await product?.dispose();
    await clock.dispose();
  });

  const transfer = (at: ServiceId) =>
    product.request('POST', '/v1/transactions', { at, body: transferBody(1) });

  /** So many transfers at each of them, all of which commit. */
  async function transfers(at: readonly ServiceId[], each: number): Promise<number> {
    for (let n = 0; n < each; n++) {
      for (const one of at) expect(await transfer(one)).toMatchObject({ status: 200 });
    }
    return at.length * each;
  }

  async function remembered(): Promise<{
    below: TransactionId | '';
    decisions: number;
    told: number;
  }> {
    const text = `SELECT below, (SELECT count(*)::int FROM concordat.decision) AS decisions,
                         (SELECT count(*)::int FROM concordat.journal) AS told
                    FROM concordat.pruning_mark`;
    const [row] = await product.sql<{ below: TransactionId | ''; decisions: number; told: number }>(
      'concordat',
      text,
    );
    if (!row) throw new Error('the mark is gone');
    return row;
  }

  // Half an hour more, so that what is measured is never rounded to the day below.
  it.each([
    ['ahead of', 8 * DAY_MS + HALF_AN_HOUR_MS],
    ['behind', -8 * DAY_MS - HALF_AN_HOUR_MS],
  ])(
    'S43: %s: it begins nothing, the others all, nothing is forgotten, and it is back once it is right',
    async (side, offMs) => {
      await transfers(['coordinator', ...OTHERS], 3);
      const before = await product.balances();
      const remains = await remembered();
      await clock.preset(offMs);
      const service = await product.restart('coordinator', { env: clock.env, said: OFF });
      await waitFor(() => service.output().includes('nothing is forgotten now'), {
        what: 'it to come to its pruning',
        timeoutMs: 30_000,
      });
      let moved = 0;
      for (let n = 0; n < 10; n++) {
        expect(await transfer('coordinator')).toMatchObject({
          status: 503,
          body: { code: 'clock-off' },
        });
        moved += await transfers(OTHERS, 1);
      }
      const { checks } = (
        await product.request('GET', '/v1/admin/doctor', {
          key: product.operatorKey,
        })
      ).body as unknown as { checks: { name: string; at: string; found: string }[] };
      expect(checks).toContainEqual(
        expect.objectContaining({
          at: 'coordinator',
          name: 'clock',
          result: 'bad',
          found: `8 d ${side} the decision database's`,
        }),
      );
      const after = await remembered();
      expect(after.decisions).toBeGreaterThanOrEqual(remains.decisions + moved);
      expect(after.told).toBeGreaterThanOrEqual(remains.told);
      if (after.below) expect(madeAtMs(after.below)).toBeLessThan(Date.now() - RETENTION_MS);
      await clock.set(service, 0);
      moved += await transfers(['coordinator', ...OTHERS], 3);
      await product.untilAllEnded();
      expect((await product.balances()).bob - before.bob).toBe(moved);
    },
  );
});
