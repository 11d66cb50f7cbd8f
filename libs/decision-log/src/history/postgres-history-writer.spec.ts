/** The history: few writes, bounded memory, and a story that survives a takeover. */
import { RegisterUnknown, type BranchView, type TransactionView } from '@concordat/engine';
import { ownerOf, type Incarnation, type TransactionId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import {
  DecisionLogStage,
  SettableClock,
} from '../../../../test/conformance/decision-log-stage.js';
import {
  BRANCHES,
  commitOf,
  freshTransaction,
} from '../../../../test/conformance/decision-register.js';
import type { DecisionLog } from '../decision-log.js';
import { SPAN } from './history.sql.js';
import { HISTORY_DEFAULTS, PostgresHistoryWriter } from './postgres-history-writer.js';

const TAKER = 'tak3r000' as Incarnation;

let stage: DecisionLogStage;
let clock: SettableClock;
let log: DecisionLog;
let dba: pg.Client;
let url: string;
/** Writers of a test's own, with their pools. */
let writers: { readonly historyWriter: PostgresHistoryWriter; readonly pool: pg.Pool }[];

function writerWith(
  bounds: Partial<typeof HISTORY_DEFAULTS>,
  options: pg.PoolConfig = {},
): PostgresHistoryWriter {
  const pool = new pg.Pool({ connectionString: url, max: 1, ...options });
  pool.on('error', () => undefined);
  const historyWriter = new PostgresHistoryWriter(pool, clock, { ...HISTORY_DEFAULTS, ...bounds });
  writers.push({ historyWriter, pool });
  return historyWriter;
}

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

beforeEach(async () => {
  url = await stage.emptied();
  clock = new SettableClock();
  log = await stage.log(url, { clock });
  dba = await stage.dba(url);
  writers = [];
});

afterEach(async () => {
  await dba.end(); // With what it has locked, which a history may wait for.
  for (const { historyWriter, pool } of writers) {
    await historyWriter.close();
    await pool.end();
  }
});

const east: BranchView = {
  branch: BRANCHES[0]?.branch as BranchView['branch'],
  participant: BRANCHES[0]?.participant as BranchView['participant'],
  work: 'bundled',
  operations: ['debit'],
  vote: { kind: 'prepared' },
  attempts: 1,
};

function viewOf(transaction: TransactionId, more: Partial<TransactionView> = {}): TransactionView {
  return {
    transaction,
    owner: ownerOf(transaction),
    principal: 'teller',
    label: 'transfer',
    status: 'preparing',
    timeoutMs: 10_000,
    begunAtMs: clock.wallNow(),
    branches: [east],
    timeline: [{ sequence: 1, atMs: clock.wallNow(), type: 'begun' }],
    version: 2,
    ...more,
  };
}

const ended = (transaction: TransactionId, more: Partial<TransactionView> = {}): TransactionView =>
  viewOf(transaction, {
    status: 'committed',
    decision: 'commit',
    outcome: 'committed',
    endedAtMs: clock.wallNow(),
    version: 9,
    ...more,
  });

async function rows(): Promise<{ transaction: string; status: string; version: string }[]> {
  const found = await dba.query<{ transaction: string; status: string; version: string }>(
    'SELECT transaction, status, version FROM concordat.journal ORDER BY transaction',
  );
  return found.rows;
}

const written = (count: number): Promise<unknown> =>
  waitFor(() => log.historyWriter.statistics().written >= count, {
    what: `${count} written notes`,
  });

describe('the history', () => {
  it('reports which ends are not on record, and makes those durable that it says are', async () => {
    const [done, open, lost] = [freshTransaction(), freshTransaction(), freshTransaction()];
    log.historyWriter.note(ended(done));
    log.historyWriter.note(viewOf(open));
    await log.historyWriter.flush();
    const lsn = async (which: string) =>
      (await dba.query<{ lsn: string }>(`SELECT pg_current_wal_${which}_lsn() AS lsn`)).rows[0]
        ?.lsn;
    const notedAt = await lsn('insert');
    const missing = await log.history.withoutEnd([done, open, lost]);
    expect([...missing].sort()).toEqual([open, lost].sort());
    const flushedAt = await lsn('flush');
    const { rows: compared } = await dba.query<{ flushed: boolean }>(
      'SELECT $1::pg_lsn <= $2::pg_lsn AS flushed',
      [notedAt, flushedAt],
    );
    expect(compared).toEqual([{ flushed: true }]);
  });

  it('writes a transaction that ends within a second once, however often it was noted', async () => {
    const transaction = freshTransaction();
    for (let version = 1; version < 8; version++)
      log.historyWriter.note(viewOf(transaction, { version }));
    log.historyWriter.note(ended(transaction));
    await written(1);
    expect(await rows()).toEqual([{ transaction, status: 'committed', version: '9' }]);
    expect(log.historyWriter.statistics()).toMatchObject({ written: 1, pending: 0 });
  });

  it('keeps a young transaction in memory until it is a second old, then writes every change', async () => {
    const [slow, quick] = [freshTransaction(), freshTransaction()];
    const begunAtMs = clock.wallNow();
    clock.wallMs = begunAtMs; // It stays young until the test moves the clock, however slow the machine.
    log.historyWriter.note(viewOf(slow, { begunAtMs }));
    log.historyWriter.note(ended(quick));
    await written(1);
    expect((await rows()).map((row) => row.transaction)).toEqual([quick]);
    clock.wallMs = begunAtMs + 1_000;
    await written(2);
    log.historyWriter.note(viewOf(slow, { begunAtMs, status: 'deciding', version: 3 }));
    await written(3);
    log.historyWriter.note(ended(slow, { begunAtMs }));
    await written(4);
    expect(await rows()).toContainEqual({ transaction: slow, status: 'committed', version: '9' });
  });

  it('writes failed attempts less and less often, and a change at once', async () => {
    const transaction = freshTransaction();
    let attempts = 0;
    const tried = (lastError = 'away'): Promise<number> => {
      attempts += 1;
      const branches = [{ ...east, attempts, lastError }];
      const timeline = Array.from({ length: attempts }, (_, at) => ({
        sequence: at + 1,
        atMs: clock.wallNow(),
        type: 'retry',
      }));
      log.historyWriter.note(
        viewOf(transaction, { status: 'committing', branches, timeline, version: 2 + attempts }),
      );
      return log.historyWriter.flush().then(() => log.historyWriter.statistics().written);
    };
    expect(await tried()).toBe(1);
    clock.passedMs += 9_000;
    expect(await tried()).toBe(1);
    clock.passedMs += 1_000;
    expect(await tried()).toBe(2);
    clock.passedMs += 3_600_000;
    expect(await tried()).toBe(3);
    clock.passedMs += 290_000;
    expect(await tried()).toBe(3);
    clock.passedMs += 10_000;
    expect(await tried()).toBe(4);
    expect(await tried('not as it was')).toBe(5);
    log.historyWriter.note(ended(transaction, { version: 20 }));
    await log.historyWriter.flush();
    expect(log.historyWriter.statistics().written).toBe(6);
    expect(await rows()).toEqual([{ transaction, status: 'committed', version: '20' }]);
  });

  it('writes many at once', async () => {
    const transactions = Array.from({ length: 1_000 }, () => freshTransaction());
    for (const one of transactions) log.historyWriter.note(ended(one));
    await written(1_000);
    const { rows: found } = await dba.query<{ writers: number; participants: number }>(
      `SELECT count(DISTINCT xmin::text)::int AS writers,
              (SELECT count(*)::int FROM concordat.journal_participant) AS participants
         FROM concordat.journal`,
    );
    const spans = new Set(transactions.map((one) => one.slice(0, SPAN)));
    expect(found[0]).toEqual({ writers: 4, participants: spans.size });
  });

  it('never takes back an end', async () => {
    const transaction = freshTransaction();
    log.historyWriter.note(ended(transaction));
    await log.historyWriter.flush();
    log.historyWriter.note(viewOf(transaction, { version: 12 }));
    await log.historyWriter.flush();
    expect(await rows()).toEqual([{ transaction, status: 'committed', version: '9' }]);
  });

  it('keeps what the first owner noted when another coordinator takes over', async () => {
    const transaction = freshTransaction();
    const begunAtMs = clock.wallNow() - 5_000;
    await log.register.decide(commitOf(transaction));
    log.historyWriter.note(
      viewOf(transaction, { begunAtMs, status: 'committing', decision: 'commit' }),
    );
    await log.historyWriter.flush();
    const taken: TransactionView = {
      ...viewOf(transaction, { status: 'committing', decision: 'commit', version: 3 }),
      owner: TAKER,
      principal: undefined,
      label: undefined,
      timeoutMs: 0,
      takenOver: true,
      branches: [{ ...east, operations: [], vote: undefined, attempts: 4, lastError: 'away' }],
      timeline: [{ sequence: 1, atMs: clock.wallNow(), type: 'taken-over' }],
    };
    log.historyWriter.note(taken);
    await log.historyWriter.flush();
    expect(await log.reader.get(transaction)).toMatchObject({
      owner: ownerOf(transaction),
      principal: 'teller',
      label: 'transfer',
      timeoutMs: 10_000,
      begunAtMs,
      status: 'committing',
      branches: [
        { operations: ['debit'], vote: { kind: 'prepared' }, attempts: 4, lastError: 'away' },
        { branch: '2', operations: [] },
      ],
      timeline: [
        { sequence: 1, type: 'begun' },
        { sequence: 2, type: 'taken-over' },
      ],
    });
  });

  it('keeps that a branch has acknowledged when another coordinator asks it again', async () => {
    const transaction = freshTransaction();
    await log.register.decide(commitOf(transaction));
    const committing = viewOf(transaction, { status: 'committing', decision: 'commit' });
    const done = { ...east, outcome: { kind: 'committed' } } as const;
    log.historyWriter.note({ ...committing, branches: [done] });
    await log.historyWriter.flush();
    const undelivered = async () => (await log.participants.undelivered()).get(east.participant);
    const before = await undelivered();
    log.historyWriter.note({
      ...committing,
      ...{ owner: TAKER, takenOver: true, version: 3 },
      branches: [{ ...east, attempts: 7, lastError: 'away' }],
    });
    await log.historyWriter.flush();
    const [known] = (await log.reader.get(transaction))?.branches ?? [];
    expect(known).toMatchObject({ outcome: { kind: 'committed' }, attempts: 7, lastError: 'away' });
    expect(await undelivered()).toBe(before);
  });

  it('replaces what Postgres text cannot hold, and loses nothing else', async () => {
    const transaction = freshTransaction();
    const lastError = 'nul \0 half \ud800';
    const branches = [{ ...east, lastError }];
    log.historyWriter.note(
      ended(transaction, { label: 'nul \0', principal: 'it\'s "me"', branches }),
    );
    await log.historyWriter.flush();
    expect(await log.reader.get(transaction)).toMatchObject({
      label: 'nul \uFFFD',
      principal: 'it\'s "me"',
      branches: [{ lastError }],
    });
  });

  it('drops one note that cannot be written, and only that', async () => {
    const broken = freshTransaction();
    const detail = { unwritable: 1n };
    const timeline = [{ sequence: 1, atMs: 1, type: 'begun', detail }];
    log.historyWriter.note(ended(broken, { timeline }));
    const fine = [freshTransaction(), freshTransaction(), freshTransaction()];
    for (const one of fine) log.historyWriter.note(ended(one));
    await log.historyWriter.flush();
    expect((await rows()).map((row) => row.transaction)).toEqual(fine);
    expect(log.historyWriter.statistics()).toMatchObject({ dropped: 1, written: 3, pending: 0 });
  });

  it('writes what is left when the log closes', async () => {
    const young = freshTransaction();
    log.historyWriter.note(viewOf(young));
    await stage.shut(log);
    expect((await rows()).map((row) => row.transaction)).toEqual([young]);
  });
});

describe('the history without its database', () => {
  it('keeps a bounded number of notes, first without their detail, and writes the rest later', async () => {
    const bounds = { pendingMax: 100, detailedMax: 40 };
    const historyWriter = writerWith(bounds, { connectionTimeoutMillis: 500 });
    await stage.server.stop({ mode: 'immediate' });
    const transactions = Array.from({ length: 130 }, () => freshTransaction());
    for (const one of transactions) historyWriter.note(ended(one));
    await waitFor(() => historyWriter.statistics().failures > 0, { what: 'a failed attempt' });
    expect(historyWriter.statistics()).toMatchObject({ dropped: 30, stripped: 90, pending: 100 });
    await stage.server.start();
    await waitFor(() => historyWriter.statistics().pending === 0, {
      what: 'the backlog to be written',
    });
    dba = await stage.dba(url);
    expect((await rows()).map((row) => row.transaction)).toEqual(transactions.slice(30));
    const { rows: detailed } = await dba.query(
      `SELECT FROM concordat.journal WHERE json_array_length(timeline) > 0`,
    );
    expect(detailed).toHaveLength(40);
  });
});

describe('the history behind a locked table', () => {
  it('keeps no more than its bytes, the newest whole and the oldest without detail, and then goes on', async () => {
    const bounds = { bytesMax: 10_000_000 };
    const historyWriter = writerWith(bounds);
    await dba.query('BEGIN');
    await dba.query('LOCK TABLE concordat.journal IN ACCESS EXCLUSIVE MODE');
    const transactions = Array.from({ length: 30 }, () => freshTransaction());
    const outputs = ['x'.repeat(500_000)];
    for (const one of transactions) {
      historyWriter.note(ended(one, { branches: [{ ...east, outputs }] }));
      expect(historyWriter.statistics().bytes).toBeLessThanOrEqual(bounds.bytesMax);
    }
    const { stripped, dropped, pending } = historyWriter.statistics();
    expect({ stripped, dropped, pending }).toEqual({ stripped: 21, dropped: 0, pending: 30 });
    await dba.query('ROLLBACK');
    await waitFor(() => historyWriter.statistics().pending === 0, {
      what: 'the backlog to be written',
    });
    expect(historyWriter.statistics().bytes).toBe(0);
    expect(await rows()).toHaveLength(30);
    expect(await wholeOnes()).toEqual(transactions.slice(21));
  });

  it('writes a large one whole, that of a takeover too', async () => {
    const [own, taken] = [freshTransaction(), freshTransaction()];
    const branches = [{ ...east, outputs: ['x'.repeat(500_000)] }];
    const historyWriter = writerWith({});
    historyWriter.note(ended(own, { branches }));
    historyWriter.note(ended(taken, { branches, owner: TAKER, takenOver: true }));
    await historyWriter.flush();
    expect(await wholeOnes()).toEqual([own, taken]);
    const text = `SELECT takeover ->> 'by' AS by, length(takeover ->> 'branches') > 500000 AS "isWhole",
        json_array_length(takeover -> 'timeline') > 0 AS "hasTimeline"
      FROM concordat.journal WHERE takeover IS NOT NULL`;
    expect((await dba.query<object>(text)).rows).toEqual([
      { by: TAKER, isWhole: true, hasTimeline: true },
    ]);
  });

  /** Those with all that their branches answered, oldest first. */
  async function wholeOnes(): Promise<TransactionId[]> {
    const text = `SELECT transaction FROM concordat.journal
      WHERE length(branches::text) > 500000 AND (takeover IS NOT NULL OR json_array_length(timeline) > 0)
      ORDER BY transaction`;
    const found = await dba.query<{ transaction: TransactionId }>(text);
    return found.rows.map((one) => one.transaction);
  }

  it('drops the oldest when even what is left without detail is too much', async () => {
    const historyWriter = writerWith({ bytesMax: 100_000 });
    for (let n = 0; n < 1_000; n++) historyWriter.note(ended(freshTransaction()));
    const { pending, dropped, bytes } = historyWriter.statistics();
    expect(bytes).toBeLessThanOrEqual(100_000);
    expect(pending + dropped).toBe(1_000);
    expect(dropped).toBeGreaterThan(0);
  });
});

describe('the history', () => {
  const own = { branch: east.branch, participant: east.participant };

  it('names the branches, and says whether there may be others', async () => {
    const [open, over] = [freshTransaction(), freshTransaction()];
    const begunAtMs = clock.wallNow() - 2_000;
    log.historyWriter.note(viewOf(open, { begunAtMs, status: 'active' }));
    log.historyWriter.note(ended(over));
    await written(2);
    expect(await log.history.storyOf(open)).toEqual({ branches: [own], isComplete: false });
    expect(await log.history.storyOf(over)).toEqual({ branches: [own], isComplete: true });
    expect(await log.history.storyOf(freshTransaction())).toBeUndefined();
  });

  it('calls no story complete that a takeover went on with, which knows prepared branches only', async () => {
    const [noted, unnoted] = [freshTransaction(), freshTransaction()];
    log.historyWriter.note(viewOf(noted, { begunAtMs: clock.wallNow() - 2_000 }));
    await written(1);
    for (const transaction of [noted, unnoted]) {
      const more = { owner: TAKER, principal: undefined, timeoutMs: 0, takenOver: true } as const;
      log.historyWriter.note(ended(transaction, more));
    }
    await written(3);
    for (const transaction of [noted, unnoted]) {
      const story = await log.history.storyOf(transaction);
      expect(story?.isComplete).toBe(false);
      expect(story?.branches).toContainEqual(own);
    }
  });

  it('that cannot be read is unknown, not empty', async () => {
    await dba.query('DROP TABLE concordat.journal CASCADE');
    await expect(log.history.storyOf(freshTransaction())).rejects.toThrow(RegisterUnknown);
  });
});
