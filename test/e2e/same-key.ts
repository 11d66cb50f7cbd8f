/** The same request under one Idempotency-Key at two coordinators at once: it runs once, whichever dies. */
import { waitFor } from '@concordat/testing';
import { transferBody, type CoordinatorId, type Json, type Product } from '../stage/product.js';

type Answer = Awaited<ReturnType<Product['request']>>;
type Metric = 'transactions_begun_total' | 'transactions_tried_again_total' | 'forwards_under_way';

const FIRST: CoordinatorId = 'coordinator-2';
const SECOND: CoordinatorId = 'coordinator-3';
const KEYS = 60;
/** Of each transaction. A slow machine runs them one after the other for some seconds. */
const TIMEOUT_MS = 30_000;
const LOCKED = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
const LEDGERS = [
  ['ledger-east', 'debit'],
  ['ledger-west', 'credit'],
] as const;

const side = (where: 'east' | 'west', name: 'debit' | 'credit') => ({
  participant: `ledger-${where}`,
  operations: [{ name, input: { account: where === 'east' ? 'alice' : 'bob', amount: 1 } }],
});

const idOf = ({ body }: Answer): Json | undefined => body['transactionId'];

export function describeSameKey(stage: () => Product): void {
  const post = (at: CoordinatorId, key: string, body: unknown): Promise<Answer> =>
    stage().request('POST', '/v1/transactions', { at, body, headers: { 'idempotency-key': key } });

  async function metric(at: CoordinatorId, name: Metric): Promise<number> {
    const headers = { authorization: `Bearer ${stage().viewerKey}` };
    const text = await (await fetch(`${stage().url(at)}/metrics`, { headers })).text();
    return Number(new RegExp(`^concordat_${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** A request runs at the first and waits there for a row, and the second has joined it. */
  async function joined(key: string) {
    const product = stage();
    await product.untilAllEnded();
    const before = await product.balances();
    const blocker = await product.request('POST', '/v1/transactions', {
      body: { branches: [{ ...side('east', 'debit') }] },
    });
    const body = transferBody(1, { timeoutMs: 20_000 });
    const first = post(FIRST, key, body).catch(() => undefined);
    await waitFor(async () => (await product.sql('ledger-east', LOCKED)).length > 0, {
      what: 'the first to wait for the row',
    });
    const second = post(SECOND, key, body).catch(() => undefined);
    await waitFor(async () => (await metric(SECOND, 'forwards_under_way')) === 1, {
      what: 'the second to join',
    });
    const unblock = () =>
      product.request('POST', `/v1/transactions/${String(idOf(blocker))}/rollback`);
    const onceMore = { alice: before.alice - 1, bob: before.bob + 1 };
    return { product, body, first, second, unblock, onceMore };
  }

  describe('the same key at two coordinators at once', () => {
    it('runs one transaction, and both coordinators report it', async () => {
      const product = stage();
      const accounts = Array.from({ length: KEYS }, (_, n) => `key-${n}`);
      const opened = accounts.map((account) => ({ name: 'open', input: { account, amount: 100 } }));
      const branches = LEDGERS.map(([participant]) => ({ participant, operations: opened }));
      await product.request('POST', '/v1/transactions', { body: { branches, commit: true } });
      const counted = async () => {
        const begun = [FIRST, SECOND].map((at) => metric(at, 'transactions_begun_total'));
        const again = [FIRST, SECOND].map((at) => metric(at, 'transactions_tried_again_total'));
        return (await Promise.all([...begun, ...again])).reduce((sum, one) => sum + one, 0);
      };
      const before = await counted();
      const took: number[] = [];
      const answers = await Promise.all(
        accounts.map(async (account) => {
          const from = performance.now();
          const works = LEDGERS.map(([participant, name]) => ({
            participant,
            operations: [{ name, input: { account, amount: 1 } }],
          }));
          const body = { branches: works, commit: true, timeoutMs: TIMEOUT_MS };
          const both = await Promise.all([FIRST, SECOND].map((at) => post(at, account, body)));
          took.push(performance.now() - from);
          return both;
        }),
      );
      for (const both of answers) {
        expect(both.map(({ status }) => status)).toEqual([200, 200]);
        expect(new Set(both.map(idOf)).size).toBe(1);
        const replays = both.map(({ headers }) => headers.get('idempotent-replayed'));
        expect(replays.filter((one) => one === 'true')).toHaveLength(1);
      }
      // A transaction for each key and not one more: nothing met itself, so nothing had to be tried again.
      expect((await counted()) - before).toBe(KEYS);
      // Nor did any request wait for the end of a time-out.
      expect(Math.max(...took)).toBeLessThan(TIMEOUT_MS / 2);
      await product.untilAllEnded();
      for (const [participant, amount] of [
        ['ledger-east', 99],
        ['ledger-west', 101],
      ] as const) {
        const rows = await product.sql<{ balance: string }>(
          participant,
          `SELECT balance FROM account WHERE id LIKE 'key-%'`,
        );
        expect(rows.map(({ balance }) => Number(balance))).toEqual(accounts.map(() => amount));
      }
    });

    it('is refused for another body at either of them', async () => {
      const { product, first, second, unblock } = await joined('key-of-two-bodies');
      for (const at of [FIRST, SECOND]) {
        const refused = await post(at, 'key-of-two-bodies', transferBody(2));
        expect([refused.status, refused.body['code']]).toEqual([422, 'idempotency-key-reused']);
      }
      await unblock();
      expect((await first)?.status).toBe(200);
      expect((await second)?.status).toBe(200);
      await product.untilAllEnded();
    });

    it('opens one transaction, in which both can work', async () => {
      const product = stage();
      const before = await product.balances();
      const [one, other] = await Promise.all([FIRST, SECOND].map((at) => post(at, 'opened', {})));
      expect([one?.status, other?.status]).toEqual([201, 201]);
      expect(idOf(one as Answer)).toBe(idOf(other as Answer));
      const path = `/v1/transactions/${String(idOf(one as Answer))}`;
      for (const [at, body] of [
        [FIRST, side('east', 'debit')],
        [SECOND, side('west', 'credit')],
      ] as const) {
        expect(await product.request('POST', `${path}/branches`, { at, body })).toMatchObject({
          status: 200,
        });
      }
      const committed = await product.request('POST', `${path}/commit`, { at: SECOND });
      expect(committed.body).toMatchObject({ decision: 'commit' });
      await product.untilAllEnded();
      expect(await product.balances()).toEqual({ alice: before.alice - 1, bob: before.bob + 1 });
    });

    it('has one effect and an answer when the one that runs it dies', async () => {
      const { product, body, second, unblock, onceMore } = await joined('runs-and-dies');
      await product.kill(FIRST);
      await waitFor(async () => (await metric(SECOND, 'forwards_under_way')) === 0, {
        what: 'the second to run it',
      });
      await unblock();
      const answer = await second;
      expect(answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
      const again = await post('coordinator', 'runs-and-dies', body);
      expect(idOf(again)).toBe(answer && idOf(answer));
      await product.untilAllEnded();
      expect(await product.balances()).toEqual(onceMore);
    });

    it('has one effect and an answer when the one that joined dies', async () => {
      const { product, body, first, unblock, onceMore } = await joined('joins-and-dies');
      await product.kill(SECOND);
      await unblock();
      const answer = await first;
      expect(answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
      const again = await post('coordinator', 'joins-and-dies', body);
      expect(idOf(again)).toBe(answer && idOf(answer));
      await product.untilAllEnded();
      expect(await product.balances()).toEqual(onceMore);
    });
  });

  it('commits everything that wants the same two rows, in any direction and under any key', async () => {
    const product = stage();
    await product.untilAllEnded();
    const { alice, bob } = await product.balances();
    const there = transferBody(1);
    const back = { ...there, branches: [side('west', 'debit'), side('east', 'credit')] };
    const asked = Array.from({ length: 24 }, (_, n) => {
      const at = ['coordinator', 'coordinator-2', 'coordinator-3'][n % 3] as CoordinatorId;
      return post(at, `hot-${n >> 1}`, n >> 1 < 8 ? there : back);
    });
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const ids = answers.map(idOf);
    expect(ids.map((_, n) => ids[n & ~1])).toEqual(ids);
    await product.untilAllEnded();
    expect(await product.balances()).toEqual({ alice: alice - 4, bob: bob + 4 });
  });
}
