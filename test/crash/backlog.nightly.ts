/**
 * Everything dies with ten thousand branches in doubt. Guards the targets of protocol §5: the first is
 * resolved within a second of the restart, all within ten. Half of them were decided by a coordinator
 * that is gone; of the other half nothing is known, so that an abort has to be recorded for each.
 * The ten seconds are for a machine of its own for each process: the test prints what it measures, and
 * allows twice as much where all share two cores.
 */
import { jest } from '@jest/globals';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Product } from '../stage/product.js';

jest.setTimeout(300_000);

const EAST = 'ledger-east';
const BRANCHES = 10_000;
const SESSIONS = 8;
const BRANCH = makeBranchId(1);

describe('Ten thousand branches in doubt', () => {
  let product: Product;

  beforeAll(async () => {
    const settings = { max_prepared_transactions: BRANCHES + 100 };
    product = await Product.start({ participants: [EAST], postgres: { settings } });
  });

  afterAll(() => product.dispose());

  it('are all finished as decided soon after the restart, the first within one second', async () => {
    await Promise.all([product.kill(EAST), product.kill('coordinator')]);
    const owner = tokenFrom(randomBytes(8));
    const all = Array.from({ length: BRANCHES }, () =>
      makeTransactionId(Date.now() - 60_000, randomBytes(10), owner),
    );
    const decided = all.filter((_id, at) => at % 2 === 0);
    await decide(owner, decided);
    await prepare(all);
    expect(await left()).toBe(BRANCHES);

    await product.startService('coordinator');
    await product.startService(EAST);
    const from = performance.now();
    await waitFor(async () => (await left()) < BRANCHES, { what: 'the first', everyMs: 5 });
    const first = performance.now() - from;
    await waitFor(async () => (await left()) === 0, {
      what: 'all',
      timeoutMs: 120_000,
      everyMs: 200,
    });
    const last = performance.now() - from;
    console.log(
      `${BRANCHES} in doubt: the first after ${first.toFixed(0)} ms, all after ${last.toFixed(0)} ms`,
    );

    await waitFor(async () => (await outcomes(all)).length === all.length, {
      what: 'the last tombstone, which follows its rollback',
    });
    const committed = (await outcomes(all)).filter(({ kind }) => kind === 'branch');
    expect(committed.map((one) => one.transaction).sort()).toEqual([...decided].sort());
    expect(first).toBeLessThan(1_000);
    expect(last).toBeLessThan(20_000);
  });

  const outcomes = (transactions: readonly TransactionId[]) =>
    product.sql<{ transaction: string; kind: string }>(
      EAST,
      'SELECT transaction, kind FROM concordat_branch WHERE transaction = ANY ($1)',
      [transactions],
    );

  async function left(): Promise<number> {
    const [row] = await product.sql<{ count: number }>(
      'superuser',
      'SELECT count(*)::int AS count FROM pg_prepared_xacts',
    );
    return row?.count ?? Number.NaN;
  }

  /** Commits on record, of a coordinator that died before it could send any of them. */
  async function decide(owner: string, transactions: readonly TransactionId[]): Promise<void> {
    await product.sql(
      'concordat',
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches, decided_at)
       SELECT transaction, 'commit', $2, $3, now() FROM unnest($1::text[]) AS t(transaction)`,
      [
        transactions,
        owner,
        JSON.stringify([{ branch: BRANCH, participant: EAST, work: 'bundled' }]),
      ],
    );
  }

  /** Branches as the participant would have left them, each with some work done. */
  async function prepare(transactions: readonly TransactionId[]): Promise<void> {
    const cluster = await product.cluster();
    const queue = [...transactions];
    const sessions = Array.from({ length: SESSIONS }, async () => {
      const client = new pg.Client({ connectionString: product.stack.databases.ledger_east });
      await client.connect();
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        await client.query(
          `BEGIN;
           INSERT INTO account (id, balance) VALUES ('${next}', 1);
           INSERT INTO concordat_branch (transaction, branch, participant, kind)
           VALUES ('${next}', ${BRANCH}, '${EAST}', 'branch');
           PREPARE TRANSACTION '${formatGid({ cluster, transaction: next, branch: BRANCH })}'`,
        );
      }
      await client.end();
    });
    await Promise.all(sessions);
  }
});
