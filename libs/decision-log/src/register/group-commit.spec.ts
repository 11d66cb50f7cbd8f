/** Group commit: decisions of concurrent transactions share flushes, and a bad one fails alone. */
import { RegisterUnknown, type Decided } from '@concordat/engine';
import { makeBranchId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type pg from 'pg';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import {
  abortOf,
  commitOf,
  evidence,
  freshKey,
  freshTransaction,
  standingIn,
} from '../../../../test/conformance/decision-register.js';
import type { DecisionLog } from '../decision-log.js';
import { ProposalRefused } from '../refusals.js';

let stage: DecisionLogStage;
let log: DecisionLog;
let dba: pg.Client;

beforeAll(async () => {
  // The WAL writer sleeps long, so that what flushes the log here is a commit that waits for it.
  stage = await DecisionLogStage.open({ settings: { wal_writer_delay: '10s' } });
}, 60_000);

afterAll(() => stage.close());

async function opened(options: { batchRowsMax?: number } = {}): Promise<void> {
  const url = await stage.emptied();
  log = await stage.log(url, options);
  dba = await stage.dba(url);
}

/** Database transactions that inserted decisions: each of them waited for one flush. */
async function insertingTransactions(): Promise<number> {
  const { rows } = await dba.query<{ count: number }>(
    'SELECT count(DISTINCT xmin::text)::int AS count FROM concordat.decision',
  );
  return rows[0]?.count ?? 0;
}

async function decideAll(count: number, concurrently: number): Promise<void> {
  let left = count;
  const decider = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await log.register.decide(commitOf(freshTransaction()));
    }
  };
  await Promise.all(Array.from({ length: concurrently }, decider));
}

describe('decisions of concurrent transactions', () => {
  it('share flushes: 64 deciders need about one per 64 decisions', async () => {
    await opened();
    await decideAll(1_280, 64);
    const flushes = await insertingTransactions();
    expect(flushes).toBeGreaterThanOrEqual(20);
    expect(flushes).toBeLessThanOrEqual(80);
    expect(log.register.counters()).toMatchObject({ batches: flushes, proposals: 1_280 });
  });

  it('take one flush each when they come one after another, without waiting for company', async () => {
    await opened();
    await decideAll(20, 1);
    expect(await insertingTransactions()).toBe(20);
  });

  it('take one flush each when batches are limited to one row', async () => {
    await opened({ batchRowsMax: 1 });
    await decideAll(100, 16);
    expect(await insertingTransactions()).toBe(100);
  });

  it('that arrive while a batch is in flight leave together in the next', async () => {
    await opened();
    await log.register.decide(commitOf(freshTransaction()));
    await dba.query('BEGIN');
    await dba.query('LOCK TABLE concordat.decision');
    const first = log.register.decide(commitOf(freshTransaction()));
    await new Promise((resolve) => setImmediate(resolve));
    const gathered = Promise.all(
      Array.from({ length: 30 }, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return log.register.decide(commitOf(freshTransaction()));
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    const before = log.register.counters().batches;
    await dba.query('COMMIT');
    await Promise.all([first, gathered]);
    expect(log.register.counters()).toMatchObject({ batches: before + 1, largestBatch: 30 });
  });
});

describe('the register of a new database', () => {
  it('finds its rows by key as they become many, before anything was analysed', async () => {
    await opened();
    for (let round = 0; round < 10; round++) {
      const some = Array.from({ length: 40 }, () => commitOf(freshTransaction()));
      await Promise.all(some.map((one) => log.register.decide(one)));
      for (const { transaction } of some) log.register.noteEnded(transaction, 'committed', 1);
      await waitFor(() => log.register.counters().endedBacklog === 0, { what: 'noted ends' });
      const branches = some.map((one) => ({
        transaction: one.transaction,
        branch: makeBranchId(1),
      }));
      expect(await log.reconciliation.compare(branches)).toHaveLength(40);
      expect(await log.reconciliation.contradicted(branches)).toEqual([]);
      expect(await log.reconciliation.unfinished(0, 10)).toEqual([]);
    }
    await stage.shut(log); // What a session has counted is seen once it has ended.
    const counted = await waitFor(
      async () => {
        const { rows } = await dba.query<{ ended: number; read: number }>(
          `SELECT n_tup_upd::int AS ended, seq_tup_read::int AS read
             FROM pg_stat_user_tables WHERE relid = 'concordat.decision'::regclass`,
        );
        return rows[0]?.ended === 400 ? rows[0] : undefined;
      },
      { what: 'counts of the table' },
    );
    expect(counted.read).toBe(0);
  });
});

describe('a batch', () => {
  it('fails for a bad row alone: the others are recorded', async () => {
    await opened();
    const bad = commitOf(freshTransaction(), {
      idempotency: { key: 'nul\0', fingerprint: 'f00d' },
    });
    const good = Array.from({ length: 20 }, () => commitOf(freshTransaction()));
    const proposals = [...good.slice(0, 11), bad, ...good.slice(11)];
    const results = await Promise.allSettled(proposals.map((one) => log.register.decide(one)));
    const failed = results.filter((one) => one.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toBeInstanceOf(ProposalRefused);
    expect((failed[0] as { reason: Error }).reason.message).toMatch(
      /SQLSTATE 22P05.*nothing was decided/,
    );
    expect(await log.register.standing(bad.transaction)).toBeUndefined();
    for (const one of good) {
      expect((await log.register.standing(one.transaction))?.decision).toBe('commit');
    }
  });

  it('answers a second proposal for a transaction whose first was refused', async () => {
    await opened();
    const transaction = freshTransaction();
    const bad = commitOf(transaction, { idempotency: { key: '\0', fingerprint: 'f00d' } });
    const [refused, next] = await Promise.allSettled([
      log.register.decide(bad),
      log.register.decide(abortOf(transaction)),
    ]);
    expect(refused.status).toBe('rejected');
    expect(next).toMatchObject({ status: 'fulfilled', value: { kind: 'on-record', byUs: true } });
  });

  it('gives the second proposal its chance when the first could not have its key', async () => {
    await opened();
    const idempotency = { key: freshKey(), fingerprint: 'f00d' };
    await log.register.decide(commitOf(freshTransaction(), { idempotency }));
    const transaction = freshTransaction();
    const [first, second] = await Promise.all([
      log.register.decide(commitOf(transaction, { idempotency })),
      log.register.decide(abortOf(transaction)),
    ]);
    expect(first.kind).toBe('key-taken');
    expect(second).toMatchObject({ kind: 'on-record', byUs: true });
    expect(standingIn(second).decision).toBe('abort');
  });

  it('may hold a transaction and a key twice: each gets its true answer', async () => {
    await opened();
    const idempotency = { key: freshKey(), fingerprint: 'f00d' };
    const [one, two] = [freshTransaction(), freshTransaction()];
    const decided: Decided[] = await Promise.all([
      log.register.decide(commitOf(one, { idempotency })),
      log.register.decide(commitOf(two, { idempotency })),
      log.register.decide(abortOf(one)),
      log.register.decide(commitOf(freshTransaction())),
    ]);
    expect(decided.map((each) => each.kind)).toEqual([
      'on-record',
      'key-taken',
      'on-record',
      'on-record',
    ]);
    expect(standingIn(decided[2] as Decided).decision).toBe('commit');
    expect(log.register.counters().batches).toBe(1);
  });

  it('keeps everything that JSON can say of an answer', async () => {
    await opened();
    const transaction = freshTransaction();
    const answer = { text: 'nul \0, half \ud800, "quotes", \\, é, 🚀', none: null, list: [1, 2.5] };
    const idempotency = { key: freshKey(), fingerprint: 'f00d' };
    await log.register.decide(commitOf(transaction, { idempotency, answer }));
    expect((await log.register.standing(transaction))?.answer).toEqual(answer);
  });
});

describe('the end of a commit', () => {
  async function walOf(): Promise<{ written: bigint; flushed: bigint }> {
    const { rows } = await dba.query<{ written: string; flushed: string }>(
      `SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS written,
              (pg_current_wal_flush_lsn() - '0/0')::text AS flushed`,
    );
    const [{ written, flushed } = { written: '0', flushed: '0' }] = rows;
    return { written: BigInt(written), flushed: BigInt(flushed) };
  }

  it('is written lazily: a decision waits for the flush, its end does not', async () => {
    await opened();
    let ended = { written: 0n, flushed: 0n };
    const isLazy = async (): Promise<boolean> => {
      const transactions = Array.from({ length: 200 }, () => freshTransaction());
      await Promise.all(transactions.map((one) => log.register.decide(commitOf(one))));
      const decided = await walOf();
      for (const one of transactions) log.register.noteEnded(one, 'committed', 1);
      expect(log.register.counters().endedBacklog).toBe(200);
      expect(await log.register.flushEnded()).toBe(true);
      ended = await walOf();
      expect(ended.written).toBeGreaterThan(decided.written);
      return ended.flushed === decided.flushed;
    };
    // The server flushes by itself every ten seconds, perhaps just then; what waits for it always does.
    expect((await isLazy()) || (await isLazy()) || (await isLazy())).toBe(true);
    // The setting did not stay behind on a connection that answers for durability.
    const last = freshTransaction();
    await log.register.recordHeuristic(last, 'abort', evidence(1, 'abort', 'committed'));
    const after = await walOf();
    expect(after.flushed).toBeGreaterThan(ended.written);
  });

  it('is written when the log closes', async () => {
    await opened();
    const transaction = freshTransaction();
    await log.register.decide(commitOf(transaction));
    log.register.noteEnded(transaction, 'heuristic-hazard', 1);
    await stage.shut(log);
    const { rows } = await dba.query('SELECT outcome FROM concordat.decision');
    expect(rows).toEqual([{ outcome: 'heuristic-hazard' }]);
    await expect(log.register.decide(abortOf(freshTransaction()))).rejects.toThrow(RegisterUnknown);
  });
});
