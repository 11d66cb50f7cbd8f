/** Pruning: how far back it may go, in which order, and what is kept in any case. */
import { Pace, RegisterUnknown } from '@concordat/engine';
import {
  lowestTransactionIdAt,
  madeAtMs,
  makeTransactionId,
  type BranchId,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type pg from 'pg';
import {
  DecisionLogStage,
  SettableClock,
} from '../../../../test/conformance/decision-log-stage.js';
import { abortOf, commitOf, evidence } from '../../../../test/conformance/decision-register.js';
import type { DecisionLog } from '../decision-log.js';
import { NothingToResolve } from '../refusals.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Wall time of the test, by which ids are made. How old something is, the database says. */
const NOW = Date.now();
/** The machine may be busy between the start of the test and a question. */
const BUSY_MS = 10 * 60_000;
const ONE = 'c00rd1n1' as Incarnation;
const TWO = 'c00rd1n2' as Incarnation;

let stage: DecisionLogStage;
let clock: SettableClock;
let log: DecisionLog;
let mayNotForget: string | undefined;
let dba: pg.Client;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

beforeEach(async () => {
  const url = await stage.emptied();
  clock = new SettableClock();
  mayNotForget = undefined;
  log = await stage.log(url, { clock, horizonMs: HOUR, mayForget: () => mayNotForget });
  dba = await stage.dba(url);
});

let made = 0;
const at = (unixMs: number): TransactionId => {
  made += 1;
  const random = new Uint8Array(10).fill(255);
  random[9] = made % 256;
  return makeTransactionId(unixMs, random, ONE);
};

/** An abort that ended ten days ago by the database's clock. */
async function longEnded(transaction: TransactionId): Promise<void> {
  await dba.query(
    `INSERT INTO concordat.decision
       (transaction, decision, finisher, branches, decided_at, ended_at, outcome)
     SELECT $1, 'abort', $2, '[]', past, past, 'aborted'
       FROM (SELECT now() - interval '10 days' AS past) AS ten_days_ago`,
    [transaction, ONE],
  );
}

/** Notes a transaction in the history. */
async function tell(transaction: TransactionId): Promise<void> {
  await dba.query(
    `INSERT INTO concordat.journal (transaction, principal, status, participants, unregistered,
                                    timeout_ms, begun_at, branches, timeline, version)
     VALUES ($1, 'teller', 'aborted', '', true, 10000, now(), '[]', '[]', 1)`,
    [transaction],
  );
}

/** It is the lowest id of a moment so long ago, give or take what a busy machine needs. */
function expectAgo(id: TransactionId | undefined, agoMs: number): void {
  const madeAt = madeAtMs(id as TransactionId);
  expect(id).toBe(lowestTransactionIdAt(madeAt));
  expect(madeAt).toBeLessThanOrEqual(Date.now() - agoMs);
  expect(madeAt).toBeGreaterThan(Date.now() - agoMs - BUSY_MS);
}

async function decisions(): Promise<number> {
  const { rows } = await dba.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM concordat.decision',
  );
  return rows[0]?.count as number;
}

describe('the low-water mark', () => {
  it('stays a horizon behind now when no coordinator holds it back', async () => {
    expectAgo(await log.register.lowWaterMark(), HOUR);
  });

  it.each([
    ['ahead', 8 * DAY],
    ['behind', -8 * DAY],
  ])("is the database's to say, also to a coordinator that is eight days %s", async (_, offMs) => {
    clock.wallMs = Date.now() + offMs;
    await log.register.heartbeat({ incarnation: TWO });
    expect(madeAtMs(await log.register.lowWaterMark())).toBeLessThanOrEqual(Date.now() - HOUR);
    const [known] = await log.register.coordinators();
    expect(madeAtMs(known?.floor as TransactionId)).toBeLessThanOrEqual(Date.now());
  });

  it('is held back by the oldest live transaction of every coordinator', async () => {
    const [older, newer] = [at(NOW - 5 * HOUR), at(NOW - 4 * HOUR)];
    await log.register.heartbeat({ incarnation: ONE, oldestLive: newer });
    await log.register.heartbeat({ incarnation: TWO, oldestLive: older });
    expect(await log.register.lowWaterMark()).toBe(older);
    await log.register.heartbeat({ incarnation: TWO });
    expect(await log.register.lowWaterMark()).toBe(newer);
  });

  it('is held back by a coordinator that fell silent, until it is proven dead', async () => {
    clock.wallMs = NOW - DAY;
    await log.register.heartbeat({ incarnation: TWO });
    clock.wallMs = undefined;
    await log.register.heartbeat({ incarnation: ONE });
    expect(await log.register.lowWaterMark()).toBe(lowestTransactionIdAt(NOW - DAY));
    const listed = await log.register.coordinators();
    const times = { seenAgoMs: expect.any(Number), startedAtMs: expect.any(Number) };
    expect(listed).toMatchObject([
      { incarnation: ONE, ...times },
      { incarnation: TWO, floor: lowestTransactionIdAt(NOW - DAY), ...times },
    ]);
    expectAgo(listed[0]?.floor, 0);
    await log.register.forgetCoordinator(TWO);
    expectAgo(await log.register.lowWaterMark(), HOUR);
  });

  it('is held back by the oldest commit that has not ended, whichever coordinator finishes it', async () => {
    const unended = at(NOW - 3 * DAY);
    await log.register.decide(commitOf(unended));
    expect(await log.register.lowWaterMark()).toBe(unended);
    log.register.noteEnded(unended, 'committed', 1);
    await log.register.flushEnded();
    expectAgo(await log.register.lowWaterMark(), HOUR);
  });
});

describe('pruning', () => {
  it('takes what ended before retention, and nothing younger', async () => {
    const [old, young] = [at(NOW - 8 * DAY), at(NOW - 6 * DAY)];
    await longEnded(old);
    await longEnded(young);
    const pruned = await log.register.prune(7 * DAY);
    expect(pruned).toMatchObject({ decisions: 1, history: 0 });
    expectAgo(pruned.below, 7 * DAY);
    expect(await log.register.standing(old)).toBeUndefined();
    expect(await log.register.standing(young)).toBeDefined();
  });

  it('keeps what ended recently by the database, however old its id', async () => {
    const slow = at(Date.now() - 8 * DAY);
    await log.register.decide(abortOf(slow));
    expect(await log.register.prune(7 * DAY)).toMatchObject({ decisions: 0 });
    // It is below the mark now, and still answers with the decision on record.
    expect(await log.register.decide(commitOf(slow))).toMatchObject({
      kind: 'on-record',
      standing: { decision: 'abort' },
    });
  });

  it.each([
    ['ahead', 8 * DAY],
    ['behind', -8 * DAY],
  ])('goes by the database where a coordinator is eight days %s', async (_, offMs) => {
    const [old, young, story] = [at(NOW - 8 * DAY), at(NOW - 6 * DAY), at(NOW - DAY)];
    for (const transaction of [old, young]) await longEnded(transaction);
    await tell(story);
    clock.wallMs = Date.now() + offMs;
    const pruned = await log.register.prune(7 * DAY);
    expect(pruned).toMatchObject({ decisions: 1, history: 0 });
    expectAgo(pruned.below, 7 * DAY);
    expect(await log.register.decide(commitOf(at(NOW)))).toMatchObject({
      standing: { decision: 'commit' },
    });
  });

  it('is left alone while it may not be, and so is what participants forget', async () => {
    await longEnded(at(NOW - 8 * DAY));
    mayNotForget = 'two clocks disagree';
    await expect(log.register.prune(DAY)).rejects.toThrow(/nothing is forgotten now: two clocks/);
    await expect(log.register.lowWaterMark()).rejects.toThrow(RegisterUnknown);
    expect(await decisions()).toBe(1);
    mayNotForget = undefined;
    expect(await log.register.prune(DAY)).toMatchObject({ decisions: 1 });
  });

  it("cannot take the mark past the database's now, whichever coordinator raises it", async () => {
    const raise = 'UPDATE concordat.pruning_mark SET below = $1';
    await expect(dba.query(raise, [lowestTransactionIdAt(Date.now() + DAY)])).rejects.toMatchObject(
      { message: expect.stringContaining('past now is refused') as unknown },
    );
    await dba.query(raise, [lowestTransactionIdAt(Date.now() - DAY)]);
  });

  it('knows in SQL what the lowest id of a moment is', async () => {
    for (const ms of [0, 1, NOW, 2 ** 47 + 12_345]) {
      const { rows } = await dba.query(
        'SELECT concordat.lowest_transaction_id(to_timestamp($1::float8 / 1000)) AS id',
        [ms],
      );
      expect(rows).toEqual([{ id: lowestTransactionIdAt(ms) }]);
    }
  });

  it('never passes a live transaction, so that no owner gets "forgotten"', async () => {
    const live = at(NOW - 9 * DAY);
    await log.register.heartbeat({ incarnation: TWO, oldestLive: live });
    expect(await log.register.prune(7 * DAY)).toMatchObject({ below: live });
    expect(await log.register.decide(commitOf(live))).toMatchObject({ kind: 'on-record' });
  });

  it('raises the mark before it deletes, and never lowers it', async () => {
    await log.register.prune(DAY);
    const { below } = await log.register.prune(30 * DAY);
    expectAgo(below, DAY);
    expect(await log.register.decide(abortOf(at(NOW - 2 * DAY)))).toEqual({ kind: 'forgotten' });
  });

  it('waits with the mark for an insert that has already looked below it', async () => {
    const old = at(NOW - 2 * DAY);
    const url = stage.server.url((await nameOf(dba)) ?? '');
    const inserting = await stage.dba(url);
    await inserting.query('BEGIN');
    await inserting.query('SELECT below FROM concordat.pruning_mark');
    const pruning = log.register.prune(DAY);
    await waitFor(
      async () => {
        const { rows } = await dba.query(
          `SELECT FROM pg_locks WHERE relation = 'concordat.pruning_mark'::regclass AND NOT granted`,
        );
        return rows.length > 0;
      },
      { what: 'the pruning to wait', everyMs: 5 },
    );
    await inserting.query(
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches)
       VALUES ($1, 'commit', $2, '[]')`,
      [old, ONE],
    );
    await inserting.query('COMMIT');
    await pruning;
    expect((await log.register.standing(old))?.decision).toBe('commit');
  });

  it('gives up soon when it cannot have the mark, and lets decisions pass', async () => {
    const url = stage.server.url((await nameOf(dba)) ?? '');
    const reading = await stage.dba(url);
    await reading.query('BEGIN');
    await reading.query('SELECT below FROM concordat.pruning_mark');
    await expect(log.register.prune(DAY)).rejects.toThrow(RegisterUnknown);
    await reading.query('COMMIT');
    expect(await log.register.decide(abortOf(at(NOW)))).toMatchObject({ kind: 'on-record' });
  });

  it('keeps the story of a transaction as long as its decision and any open heuristic', async () => {
    const [decided, doubtful, over] = [at(NOW - 9 * DAY), at(NOW - 9 * DAY), at(NOW - 9 * DAY)];
    await log.register.decide(abortOf(decided)); // Ended a moment ago, by the database.
    expect(await log.register.prune(7 * DAY)).toMatchObject({ history: 0 });
    // Forgotten by now, so no decision is on record beside this evidence.
    await log.register.recordHeuristic(doubtful, 'abort', evidence(1, 'abort', 'committed'));
    for (const transaction of [decided, doubtful, over]) await tell(transaction);
    expect(await log.register.prune(7 * DAY)).toMatchObject({ decisions: 0, history: 1 });
    const { rows } = await dba.query('SELECT transaction FROM concordat.journal ORDER BY 1');
    expect(rows.map((row) => row.transaction)).toEqual([decided, doubtful]);
  });

  it('forgets stories first where they are kept for less long, but none that is still needed', async () => {
    const [over, open, doubtful] = [at(NOW - 9 * DAY), at(NOW - 8 * DAY), at(NOW - 7 * DAY)];
    const young = at(NOW - HOUR);
    await longEnded(over);
    await log.register.recordHeuristic(doubtful, 'abort', evidence(1, 'abort', 'committed'));
    for (const transaction of [over, open, doubtful, young]) {
      await tell(transaction);
      await dba.query(
        `INSERT INTO concordat.journal_participant (participant, span) VALUES ('east', left($1, 9))`,
        [transaction],
      );
    }
    const ENDED = `UPDATE concordat.journal SET ended_at = begun_at - interval '6 days' WHERE transaction <> $1`;
    await dba.query(ENDED, [open]);
    expect(await log.register.prune(30 * DAY, 2 * DAY)).toMatchObject({ decisions: 0, history: 1 });
    const left = [open, doubtful, young];
    const { rows } = await dba.query('SELECT transaction FROM concordat.journal ORDER BY 1');
    expect(rows.map((row) => row.transaction)).toEqual(left);
    const { rows: spans } = await dba.query(
      'SELECT span FROM concordat.journal_participant ORDER BY 1',
    );
    expect(spans.map((row) => row.span)).toEqual(left.map((one) => one.slice(0, 9)));
    // What was decided is known as before, by its register's row.
    expect(await log.reader.get(over)).toMatchObject({ status: 'aborted', timeline: [] });
  });

  async function many(): Promise<void> {
    await dba.query(
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches, ended_at, outcome)
       SELECT lpad(n::text, 26, '0') || '-aaaaaaaa', 'abort', 'aaaaaaaa', '[]',
              now() - interval '1 day', 'aborted'
         FROM generate_series(1, 5001) n`,
    );
  }

  it('takes any number, in pieces', async () => {
    await many();
    expect(await log.register.prune(HOUR)).toMatchObject({ decisions: 5_001 });
    expect(await decisions()).toBe(0);
  });

  it('leaves the rest for another time once it is stopped between two pieces', async () => {
    await many();
    const pace = new Pace(clock);
    pace.stop();
    const { decisions: first } = await log.register.prune(HOUR, HOUR, pace);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(5_001);
    expect(await decisions()).toBe(5_001 - first);
    expect(await log.register.prune(HOUR)).toMatchObject({ decisions: 5_001 - first });
  });
});

describe('a heuristic', () => {
  const old = (): TransactionId => at(NOW - 9 * DAY);

  it('stays with its decision until an operator resolves it with a reason', async () => {
    const transaction = old();
    await longEnded(transaction);
    await log.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
    await log.register.recordHeuristic(transaction, 'abort', evidence(2, 'abort', 'committed'));
    expect(await log.register.prune(DAY)).toMatchObject({ decisions: 0 });
    const resolved = await log.register.resolveHeuristic(transaction, {
      by: 'ops:ada',
      reason: 'refunded manually, ticket 17',
    });
    expect(resolved).toEqual({ branches: ['1', '2'] });
    expect(await log.reader.get(transaction)).toMatchObject({
      status: 'heuristic-mixed',
      heuristics: [
        { branch: '1', resolution: { by: 'ops:ada', reason: 'refunded manually, ticket 17' } },
        { branch: '2', resolution: { by: 'ops:ada' } },
      ],
    });
    expect(await log.register.prune(DAY)).toMatchObject({ decisions: 1 });
    // The decision is forgotten; the evidence and its resolution never are.
    expect(await log.reader.get(transaction)).toMatchObject({
      status: 'heuristic-mixed',
      decisionStands: false,
      heuristics: [{ branch: '1', resolution: { by: 'ops:ada' } }, { branch: '2' }],
    });
  });

  it('is resolved once', async () => {
    const transaction = old();
    await log.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
    const resolution = { by: 'ops:ada', reason: 'done' };
    await log.register.resolveHeuristic(transaction, resolution);
    await expect(log.register.resolveHeuristic(transaction, resolution)).rejects.toThrow(
      NothingToResolve,
    );
    await log.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'unknown'));
    await expect(log.register.resolveHeuristic(transaction, resolution)).rejects.toThrow(
      /no unresolved heuristic/,
    );
    expect((await log.register.standing(transaction))?.heuristics).toEqual([
      evidence(1, 'abort', 'committed'),
    ]);
  });

  it('is resolved only where it was looked at: one that was found since stays open', async () => {
    const transaction = old();
    await log.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
    const branches = ['1' as BranchId];
    await log.register.recordHeuristic(transaction, 'abort', evidence(2, 'abort', 'committed'));
    const resolution = { by: 'ops:ada', reason: 'done', branches };
    expect(await log.register.resolveHeuristic(transaction, resolution)).toEqual({ branches });
    expect(await log.reader.attention()).toMatchObject({ unresolvedHeuristics: 1 });
    await expect(log.register.resolveHeuristic(transaction, resolution)).rejects.toThrow(
      NothingToResolve,
    );
  });

  it('is recorded even of a transaction that is forgotten, without deciding it again', async () => {
    await log.register.prune(DAY);
    const transaction = old();
    await log.register.recordHeuristic(transaction, 'abort', evidence(1, 'abort', 'committed'));
    expect(await log.register.standing(transaction)).toBeUndefined();
    expect(await log.register.decide(abortOf(transaction))).toEqual({ kind: 'forgotten' });
    expect(await log.reader.attention()).toMatchObject({ unresolvedHeuristics: 1 });
  });
});

async function nameOf(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  return rows[0]?.name;
}
