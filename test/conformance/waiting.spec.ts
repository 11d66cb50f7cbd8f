/**
 * Branches that wait for a lock, at a participant with few sessions, on a real Postgres and a real broker:
 * however many wait, others work.
 */
import {
  SystemClock,
  VoteNo,
  createParticipant,
  type Branch,
  type OperationDefinition,
  type ParticipantOptions,
  type StandaloneParticipant,
} from '@concordat/participant';
import type { ClusterId, TransactionId, Vote } from '@concordat/protocol';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import pg from 'pg';
import { ScriptedCoordinator } from '../../libs/participant/src/nest/scripted-coordinator.spec-support.js';

const NAME = 'counters';
const SESSIONS = 4;
const PREPARED = { kind: 'prepared' };

/** Ten seconds of it take minutes: where nothing moves for long, more and more of a crowd are let try. */
class SlowClock extends SystemClock {
  private readonly since = super.now();

  override now(): number {
    return this.since + (super.now() - this.since) / 30;
  }
}

describe('A participant where branches wait for a lock', () => {
  let stack: TestStack;
  let coordinator: ScriptedCoordinator;
  let participant: StandaloneParticipant | undefined;
  let db: pg.Pool;
  let other: pg.Client;
  /** The rows in the order in which operations got them. */
  let got: string[];
  let ran: number;

  beforeAll(async () => {
    stack = await embeddedStack();
    db = new pg.Pool({ connectionString: stack.databases.ledger_east, max: 2 });
    await db.query('CREATE TABLE counter (name text PRIMARY KEY, n int NOT NULL DEFAULT 0)');
    coordinator = await ScriptedCoordinator.start(stack.nats.url, 'wait0spc' as ClusterId);
  }, 90_000);

  beforeEach(async () => {
    got = [];
    ran = 0;
    await db.query('TRUNCATE counter');
    await db.query(`INSERT INTO counter SELECT 'row-' || n FROM generate_series(1, 40) AS n`);
    await db.query(`INSERT INTO counter VALUES ('hot'), ('held'), ('young'), ('middle'), ('old')`);
    other = new pg.Client({ connectionString: stack.databases.ledger_east });
    await other.connect();
    coordinator.timeLeftMs = 10_000;
  });

  afterEach(async () => {
    await other.end();
    await participant?.stop();
    // Where a test has failed: what it has left prepared would keep the next one waiting.
    const { rows } = await db.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');
    for (const { gid } of rows) await db.query(`ROLLBACK PREPARED '${gid}'`);
  });

  afterAll(async () => {
    await coordinator?.stop();
    await db?.end();
    await stack?.dispose();
  });

  const count = async (branch: Branch, name: string): Promise<void> => {
    ran += 1;
    await branch.client.query('UPDATE counter SET n = n + 1 WHERE name = $1', [name]);
    got.push(name);
  };
  const counting: OperationDefinition = {
    name: 'count',
    run: (input, branch) => count(branch, (input as { name: string }).name),
  };

  async function start(
    operations: readonly OperationDefinition[] = [counting],
    options: Partial<ParticipantOptions> = {},
  ): Promise<void> {
    participant = createParticipant({
      name: NAME,
      natsUrl: stack.nats.url,
      cluster: coordinator.cluster,
      database: { url: stack.databases.ledger_east },
      sessionsMax: SESSIONS,
      lockWaitersMax: SESSIONS / 2,
      inDoubtMax: 100,
      operations,
      ...options,
    });
    await participant.start();
    await participant.ready();
  }

  const call = (name: string, operation = 'count') => [{ name: operation, input: { name, by: 1 } }];

  /** One branch in one message, finished as it voted. */
  async function whole(name: string, operation = 'count'): Promise<Vote> {
    const transaction = coordinator.begin();
    const { vote } = await coordinator.prepare(NAME, transaction, call(name, operation));
    await coordinator.finish(NAME, transaction, vote.kind === 'prepared' ? 'commit' : 'abort');
    return vote;
  }

  const times = (n: number, what: () => Promise<Vote>): Promise<Vote[]> =>
    Promise.all(Array.from({ length: n }, what));

  async function firstOf<T>(all: readonly T[], holds: (one: T) => Promise<boolean>): Promise<T> {
    for (const one of all) if (await holds(one)) return one;
    throw new Error('it holds of none');
  }

  async function hold(name: string): Promise<void> {
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM counter WHERE name = $1 FOR UPDATE', [name]);
  }

  const waiting = async (): Promise<number> => {
    const { rows } = await db.query<{ n: string }>(
      `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    return Number(rows[0]?.n);
  };

  /** Branches that wait for a session. */
  const opening = async (): Promise<number> => {
    const { waiting: waits } = (await participant!.inspect()) as { waiting: { opening: number } };
    return waits.opening;
  };

  const counted = async (name: string): Promise<number> => {
    const { rows } = await db.query<{ n: number }>('SELECT n FROM counter WHERE name = $1', [name]);
    return rows[0]?.n ?? -1;
  };

  it('goes on with others, and lets those that wait have the lock once it is free', async () => {
    await start();
    await hold('held');
    const waiters = times(20, () => whole('held'));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    for (let n = 1; n <= 20; n++) expect(await whole(`row-${n}`)).toEqual(PREPARED);
    expect(await waiting()).toBeLessThan(SESSIONS);
    await other.query('COMMIT');
    expect(await waiters).toEqual(Array.from({ length: 20 }, () => PREPARED));
    expect(await counted('held')).toBe(20);
  });

  it('gives a session to the oldest transaction first, which may hold locks elsewhere', async () => {
    await start();
    const open = Array.from({ length: SESSIONS }, () => coordinator.begin());
    await Promise.all(open.map((one, n) => coordinator.work(NAME, one, call(`row-${n + 1}`))));
    const votes: Promise<Vote>[] = [];
    got = [];
    for (const [name, ageMs] of [
      ['young', 0],
      ['old', 5_000],
      ['middle', 1_000],
    ] as const) {
      coordinator.ageMs = ageMs;
      votes.push(whole(name));
      await waitFor(async () => (await opening()) === votes.length, { what: `${name} to wait` });
    }
    coordinator.ageMs = 0;
    await coordinator.finish(NAME, open[0] as TransactionId, 'abort');
    expect(await Promise.all(votes)).toEqual([PREPARED, PREPARED, PREPARED]);
    expect(got).toEqual(['old', 'middle', 'young']);
    for (const one of open.slice(1)) await coordinator.finish(NAME, one, 'abort');
  });

  it('keeps a row that moves moving beside one that does not', async () => {
    await start();
    await hold('held');
    const waiters = times(20, () => whole('held'));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    expect(await times(30, () => whole('hot'))).toEqual(Array.from({ length: 30 }, () => PREPARED));
    expect(await counted('hot')).toBe(30);
    await other.query('COMMIT');
    await waiters;
    expect(await counted('held')).toBe(20);
  });

  it('lets a crowd for one row wait before it runs, and others go on that have a value in common with it', async () => {
    coordinator.timeLeftMs = 60_000;
    await start([counting], { clock: new SlowClock() });
    await hold('hot');
    const crowd = times(40, () => whole('hot'));
    await waitFor(async () => (await opening()) >= 36, { what: 'most to wait without a session' });
    // Younger than all of the crowd: without it, each of the crowd would run before they do, and wait.
    for (let n = 1; n <= 5; n++) expect(await whole(`row-${n}`)).toEqual(PREPARED);
    expect(ran - 5).toBeLessThan(20);
    await other.query('COMMIT');
    await crowd;
    expect(await counted('hot')).toBe(40);
  });

  it('lets one without a session run at once that may be in a cycle of waits, and others go on', async () => {
    await start();
    await hold('held');
    const open = Array.from({ length: 8 }, () => coordinator.begin());
    const ends = open.map(async (one) => {
      const { vote } = await coordinator.prepare(NAME, one, call('held'));
      await coordinator.finish(NAME, one, vote.kind === 'prepared' ? 'commit' : 'abort');
      return vote;
    });
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    await times(8, () => whole('hot'));
    const seen = (one: TransactionId) =>
      coordinator.waitsNow(participant as StandaloneParticipant, one);
    const asked = await firstOf(open, async (one) => (await seen(one)).length === 0);
    await waitFor(async () => (await seen(asked)).length === 1, {
      what: 'it to wait in a session',
    });
    expect((await seen(asked))[0]).toMatchObject({ on: { relation: 'counter' } });
    expect(await times(8, () => whole('hot'))).toEqual(Array.from({ length: 8 }, () => PREPARED));
    await other.query('COMMIT');
    expect(await Promise.all(ends)).toEqual(open.map(() => PREPARED));
    expect(await counted('held')).toBe(8);
  });

  it('undoes what a branch had done that runs again, hooks and all', async () => {
    let committed = 0;
    const twice: OperationDefinition = {
      name: 'twice',
      run: async (_input, branch) => {
        branch.onCommitted(() => void (committed += 1));
        await count(branch, `row-${(ran % 40) + 1}`);
        await count(branch, 'held');
      },
    };
    await start([counting, twice]);
    await hold('held');
    const waiters = times(6, () => whole('held', 'twice'));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    await times(8, () => whole('hot'));
    const before = ran;
    await other.query('COMMIT');
    await waiters;
    expect(ran).toBeGreaterThan(before);
    expect(await counted('held')).toBe(6);
    const { rows } = await db.query<{ n: string }>(
      `SELECT sum(n) AS n FROM counter WHERE name LIKE 'row-%'`,
    );
    expect(Number(rows[0]?.n)).toBe(6);
    await waitFor(() => committed === 6, { what: 'the hooks' });
  });

  it('runs the first call of open work again, which has not been answered', async () => {
    await start();
    await hold('held');
    const open = Array.from({ length: 8 }, () => coordinator.begin());
    const answers = Promise.all(open.map((one) => coordinator.work(NAME, one, call('held'))));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    expect(await times(8, () => whole('hot'))).toEqual(Array.from({ length: 8 }, () => PREPARED));
    for (const one of open.slice(1)) await coordinator.finish(NAME, one, 'abort');
    await other.query('COMMIT');
    const [first] = await answers;
    expect(first).toMatchObject({ kind: 'done' });
    expect((await coordinator.prepare(NAME, open[0] as TransactionId)).vote).toEqual(PREPARED);
    await coordinator.finish(NAME, open[0] as TransactionId, 'commit');
    expect(await counted('held')).toBe(1);
  });

  it('takes the session of what cannot run again last, and says that a retry helps', async () => {
    const once: OperationDefinition = { ...counting, name: 'once', once: true };
    await start([counting, once]);
    await hold('held');
    const waiters = times(SESSIONS, () => whole('held', 'once'));
    await waitFor(async () => (await waiting()) === SESSIONS, { what: 'all of them to wait' });
    expect(await whole('hot')).toEqual(PREPARED);
    await other.query('COMMIT');
    const votes = await waiters;
    const recalled = votes.filter((vote) => vote.kind === 'no');
    expect(recalled.length).toBeGreaterThan(0);
    for (const vote of recalled) {
      expect(vote).toMatchObject({ code: 'SESSION_RECALLED', retryable: true });
    }
    expect(await counted('held')).toBe(SESSIONS - recalled.length);
  });

  it('takes what the operation made of it for what it was', async () => {
    const swallowing: OperationDefinition = {
      name: 'swallow',
      run: async (input, branch) => {
        try {
          await count(branch, (input as { name: string }).name);
        } catch {
          throw new VoteNo('NOTHING_LEFT');
        }
      },
    };
    await start([counting, swallowing]);
    await hold('held');
    const waiters = times(8, () => whole('held', 'swallow'));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    await times(8, () => whole('hot'));
    await other.query('COMMIT');
    expect(await waiters).toEqual(Array.from({ length: 8 }, () => PREPARED));
  });

  it('says in time that the lock was not free, to those without a session as well', async () => {
    await start();
    await hold('held');
    coordinator.timeLeftMs = 3_000;
    const waiters = times(8, () => whole('held'));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    coordinator.timeLeftMs = 10_000;
    await times(8, () => whole('hot'));
    for (const vote of await waiters) {
      expect(vote).toMatchObject({ kind: 'no', code: 'LOCK_TIMEOUT', retryable: true });
    }
  });

  it('lets an abort end the wait of a branch without a session, and a stop as well', async () => {
    await start();
    await hold('held');
    const open = Array.from({ length: 8 }, () => coordinator.begin());
    const votes = open.map((one) => coordinator.prepare(NAME, one, call('held')));
    await waitFor(async () => (await waiting()) >= 1, { what: 'one of them to wait' });
    await times(8, () => whole('hot'));
    for (const one of open) {
      expect(await coordinator.finish(NAME, one, 'abort')).toMatchObject({ kind: 'acknowledged' });
    }
    for (const { vote } of await Promise.all(votes)) expect(vote.kind).toBe('no');
    expect(await waiting()).toBe(0);
  });
});
