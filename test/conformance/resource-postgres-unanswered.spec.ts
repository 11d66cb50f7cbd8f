/**
 * What a branch sends at once: BEGIN with its first statement, its end with PREPARE. How often the database
 * is asked, and what is known where an answer does not come, or is an error. A PREPARE without an answer is unknown, never a no: the branch can
 * be prepared all the same, as where a synchronous standby is away.
 */
import type { Writable } from 'node:stream';
import { NoCode, isWorthAnotherTry, protocolNo } from '@concordat/protocol';
import type { PostgresResource, PostgresSession } from '@concordat/participant';
import { waitFor } from '@concordat/testing';
import { jest } from '@jest/globals';
import type { Socket } from 'node:net';
import type pg from 'pg';
import { answersOn, closesInOneFlight, laterOn } from './one-flight.js';
import { CLUSTER, beginOn, freshBranch } from './resource.js';
import {
  OUTCOMES_LOCK,
  postgresWithHeldOutcomes,
  until,
  type PostgresHarness,
} from './resource-postgres.js';
import { flushing, withoutStandby } from './without-standby.js';

const RECALLED = protocolNo(NoCode.sessionRecalled, 'others need its session');

let h: PostgresHarness;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ h, close } = await postgresWithHeldOutcomes());
}, 60_000);

afterAll(() => close());

const withoutItsStandby = <T>(work: () => Promise<T>): Promise<T> => withoutStandby(h.dba, work);

describe('While PREPARE is under way', () => {
  it('a killed connection is never taken for a yes, and the branch can be aborted', async () => {
    const branch = freshBranch();
    const result = await withoutItsStandby(async () => {
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'killed');
      const preparing = h.resource.prepare(branch, session);
      await until(h.dba, flushing('PREPARE TRANSACTION'));
      await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
      return preparing;
    });
    expect(result.kind).toBe('unknown');
    // It was prepared all the same: no would have been false.
    expect((await h.resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('no answer in the time left is unknown, though the branch is prepared', async () => {
    const branch = freshBranch();
    const result = await withoutItsStandby(async () => {
      const session = await beginOn(h.resource, branch, 1_000);
      await h.write(session, 'late');
      return h.resource.prepare(branch, session);
    });
    expect(result.kind).toBe('unknown');
    expect((await h.resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it.each([
    ['', {}],
    [', also where its sessions are sent no warning', { options: '-c client_min_messages=error' }],
  ])('a wait for its standby that somebody ends is no yes, and no no%s', async (_, config) => {
    const resource = h.open(h.url, config);
    const branch = freshBranch();
    const result = await withoutItsStandby(async () => {
      const session = await beginOn(resource, branch);
      await h.write(session, 'ended');
      const preparing = resource.prepare(branch, session);
      await until(h.dba, flushing('PREPARE TRANSACTION'));
      await h.dba.query('SELECT pg_cancel_backend($1)', [session.backend]);
      return preparing;
    });
    expect(result).toMatchObject({ kind: 'unknown', vote: { retryable: true } });
    expect((await resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
    expect(await resource.abort(branch)).toEqual({ kind: 'aborted' });
  });
});

describe('Between the outcome row and PREPARE of one flight', () => {
  /** What a branch comes to whose flight is held there while `meanwhile` happens. */
  async function heldThere(
    meanwhile: (session: PostgresSession, release: () => Promise<unknown>) => unknown,
    branch = freshBranch(),
  ) {
    const holder = await h.dba.connect();
    const release = () => holder.query('SELECT pg_advisory_unlock_all()');
    try {
      await holder.query(`SELECT pg_advisory_lock(${OUTCOMES_LOCK})`);
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'held');
      const preparing = h.resource.prepare(branch, session);
      const waits = `SELECT 1 FROM pg_stat_activity WHERE pid = ${session.backend} AND wait_event = 'advisory'`;
      await until(h.dba, waits);
      await meanwhile(session, release);
      return await preparing;
    } finally {
      await release();
      holder.release();
    }
  }

  const listed = async () => (await h.resource.listPrepared(CLUSTER)).entries.length;
  const cancel = ({ backend }: PostgresSession) =>
    h.dba.query('SELECT pg_cancel_backend($1)', [backend]);

  it('a session that the server ends is a certain no: it says so itself', async () => {
    const result = await heldThere(({ backend }) =>
      h.dba.query('SELECT pg_terminate_backend($1)', [backend]),
    );
    expect(result).toMatchObject({ kind: 'rolled-back', vote: { retryable: true } });
    expect(await listed()).toBe(0);
  });

  it('a statement that fails is a certain no: PREPARE is not run', async () => {
    expect(await heldThere(cancel)).toMatchObject({ kind: 'rolled-back' });
    expect(await listed()).toBe(0);
  });

  it('a connection that is lost is unknown: the server goes on, and prepares', async () => {
    let lost: pg.PoolClient | undefined;
    h.resource.sessions.once('acquire', (client) => (lost = client));
    const branch = freshBranch();
    const result = await heldThere(() => {
      const { connection } = lost as unknown as { connection: { stream: { destroy(): void } } };
      connection.stream.destroy();
    }, branch);
    expect(result).toMatchObject({ kind: 'unknown', vote: { retryable: true } });
    await until(h.dba, 'SELECT 1 FROM pg_prepared_xacts WHERE database = current_database()');
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('a signal that comes too late for its wait makes no yes of the branch', async () => {
    const branch = freshBranch();
    const result = await heldThere(async (session, release) => {
      session.signalled = true;
      await release();
    }, branch);
    expect(result).toMatchObject({ kind: 'unknown' });
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('a signal that is asked for is waited for, and none that was sent keeps it from a yes', async () => {
    const branch = freshBranch();
    let tell: () => void = () => undefined;
    let asked: PostgresSession | undefined;
    let vote: unknown;
    const voting = heldThere(async (session, release) => {
      asked = session;
      session.signalAsked(new Promise<void>((resolve) => (tell = resolve)));
      await release();
    }, branch).then((told) => (vote = told));
    // It is prepared by then: what is known of the signal is all that its vote waits for.
    await until(h.dba, 'SELECT 1 FROM pg_prepared_xacts WHERE database = current_database()');
    expect(await h.resource.listPrepared(CLUSTER)).toMatchObject({ entries: [{}] });
    expect(vote).toBeUndefined();
    asked?.signalMissed();
    tell();
    await voting;
    expect(vote).toEqual({ kind: 'prepared' });
    expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
  });

  it('a recall that may or may not have been sent is no certain no, and worth another try', async () => {
    const branch = freshBranch();
    const result = await heldThere(async (session, release) => {
      session.recall(RECALLED, Promise.reject(new Error('no answer')));
      await release();
    }, branch);
    expect(result).toEqual({ kind: 'unknown', reason: RECALLED.reason, vote: RECALLED });
    expect(isWorthAnotherTry({ kind: 'vote', ...branch, vote: RECALLED })).toBe(true);
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('no recall reaches it for the sake of others: its work is done', async () => {
    const branch = freshBranch();
    const result = await heldThere(async (session, release) => {
      await h.resource.endLockWaits([session], RECALLED);
      await release();
    }, branch);
    expect(result).toEqual({ kind: 'prepared' });
    expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
  });
});

describe('A branch that is recalled just when its wait ends', () => {
  it('is prepared, and no sooner than it is known that no signal is on its way', async () => {
    await h.dba.query('CREATE TABLE wanted (id int PRIMARY KEY, n int)');
    await h.dba.query('INSERT INTO wanted VALUES (1, 0)');
    const holder = await h.dba.connect();
    await holder.query('BEGIN; UPDATE wanted SET n = n + 1');
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    const updated = session.client.query('UPDATE wanted SET n = n + 1');
    const seen = async (what: string) =>
      (
        await h.dba.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND ${what}`, [
          session.backend,
        ])
      ).rowCount === 1;
    await waitFor(() => seen(`wait_event_type = 'Lock'`), { what: 'the branch to wait' });
    const askLater = laterOn(h.resource.secondPhasePool);
    const recalling = h.resource.endLockWaits([session], RECALLED);
    await holder.query('COMMIT');
    holder.release();
    await updated;
    let vote: unknown;
    const preparing = h.resource.prepare(branch, session).then((told) => (vote = told));
    let looks = 0;
    await waitFor(
      async () => {
        if (await seen(`state = 'idle in transaction' AND query LIKE 'UPDATE wanted%'`)) looks += 1;
        return vote !== undefined || looks === 5;
      },
      { what: 'the branch to wait for what is said of the signal, or to vote' },
    );
    expect(vote).toBeUndefined();
    askLater.now();
    await recalling;
    await preparing;
    expect(vote).toEqual({ kind: 'prepared' });
    expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
    expect((await h.dba.query('SELECT n FROM wanted')).rows).toEqual([{ n: 2 }]);
  });
});

closesInOneFlight(() => h);

describe('A branch', () => {
  it('that wrote in one statement is prepared with two questions, and finished with one', async () => {
    const resource = h.open(undefined, { max: 1 });
    const sessions = answersOn(resource.sessions);
    const finishers = answersOn(resource.secondPhasePool);
    let before = { sessions: 0, finishers: 0 };
    // The first branch on a connection makes it.
    for (let nth = 1; nth <= 2; nth++) {
      before = { sessions: sessions.count, finishers: finishers.count };
      const branch = freshBranch();
      const session = await beginOn(resource, branch);
      await h.write(session, 'counted');
      expect(await resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
    }
    expect(sessions.count - before.sessions).toBe(2);
    expect(finishers.count - before.finishers).toBe(1);
  });

  const COUNTED = `INSERT INTO ledger_view VALUES ('counted elsewhere')`;
  const view = `CREATE VIEW ledger_view AS SELECT mark FROM work;
    CREATE FUNCTION nowhere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER nowhere INSTEAD OF INSERT ON ledger_view FOR EACH ROW EXECUTE FUNCTION nowhere()`;

  it('whose statement counts rows that it did not write is refused once, and looked at from then on', async () => {
    const resource = h.open();
    const vote = async (...statements: string[]) => {
      const branch = freshBranch();
      const session = await beginOn(resource, branch);
      for (const statement of statements) await session.client.query(statement);
      return { branch, result: await resource.prepare(branch, session) };
    };
    const first = await vote(`INSERT INTO work VALUES ('believed')`);
    expect(await resource.commit(first.branch)).toEqual({ kind: 'committed' });
    await h.dba.query(view);
    expect((await vote(COUNTED)).result).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'RESOURCE_UNAVAILABLE', retryable: true },
    });
    expect((await vote(COUNTED)).result).toEqual({ kind: 'read-only' });
    // Where the database had such a trigger from the beginning, it is looked at from the beginning.
    const later = h.open();
    const branch = freshBranch();
    const session = await beginOn(later, branch);
    await session.client.query(COUNTED);
    expect(await later.prepare(branch, session)).toEqual({ kind: 'read-only' });
  });
});

/** Where pg's client writes. */
interface Connection {
  readonly stream: Required<Pick<Writable, 'write' | '_write' | '_writev'>>;
  _send(bytes: Uint8Array): unknown;
  sync(): void;
}

describe('A first statement that BEGIN travels with', () => {
  const opened: PostgresResource[] = [];

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.endSessions();
  });

  /** A service of one connection, on which a branch has begun before, so that everything of it is known. */
  async function known() {
    const resource = h.open(undefined, { max: 1 });
    opened.push(resource);
    let raw: pg.PoolClient | undefined;
    resource.sessions.on('acquire', (client) => (raw = client));
    const first = await beginOn(resource, freshBranch());
    await first.client.query('SELECT $1::text', ['known']);
    expect(await resource.prepare(first.branch, first)).toEqual({ kind: 'read-only' });
    const session = await beginOn(resource, freshBranch());
    return { resource, session, raw: raw as unknown as pg.PoolClient };
  }

  type Send = (session: PostgresSession, mark: string) => Promise<unknown>;
  const INSERT = 'INSERT INTO work VALUES ($1)';
  const sends: [string, Send][] = [
    ['with values', ({ client }, mark) => client.query(INSERT, [mark])],
    [
      'with a name',
      ({ client }, mark) => client.query({ name: 'w', text: INSERT, values: [mark] }),
    ],
    ['without values', ({ client }, mark) => client.query(`INSERT INTO work VALUES ('${mark}')`)],
    [
      'that answers to a callback',
      ({ client }, mark) =>
        new Promise((resolve, reject) => {
          client.query(INSERT, [mark], (error, answer) =>
            error ? reject(error) : resolve(answer),
          );
        }),
    ],
  ];

  it.each(sends)('%s is a part of the transaction', async (_form, send) => {
    const { resource, session } = await known();
    const mark = session.branch.transaction;
    await send(session, mark);
    expect(await h.sees(mark)).toBe(false);
    expect(await resource.prepare(session.branch, session)).toEqual({ kind: 'prepared' });
    expect(await resource.commit(session.branch)).toEqual({ kind: 'committed' });
    expect(await h.sees(mark)).toBe(true);
  });

  it.each(sends)(
    '%s is not run where BEGIN fails, nor is what is queued behind it',
    async (_form, send) => {
      const { resource, session, raw } = await known();
      // As a pooler would: the session has forgotten the statements that it was taught.
      await raw.query('DEALLOCATE ALL');
      const mark = session.branch.transaction;
      const sent = await Promise.allSettled([
        send(session, mark),
        send(session, `${mark} too`),
        session.client.query(`INSERT INTO work VALUES ('${mark} three')`),
      ]);
      expect(sent.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      await expect(session.client.query('SELECT 1')).rejects.toThrow();
      expect(await resource.prepare(session.branch, session)).toMatchObject({
        kind: 'rolled-back',
      });
      const { rows } = await h.dba.query(`SELECT mark FROM work WHERE mark LIKE '${mark}%'`);
      expect(rows).toEqual([]);
      // The connection is gone, and with it what it had forgotten.
      const next = await beginOn(resource, freshBranch());
      await h.write(next, 'next');
      expect(await resource.prepare(next.branch, next)).toEqual({ kind: 'prepared' });
      expect(await resource.abort(next.branch)).toEqual({ kind: 'aborted' });
    },
  );

  it.each([
    ['as the driver does', undefined],
    ['where something writes with a callback', () => undefined],
  ])('leaves behind it, in one piece %s', async (_how, callback) => {
    const { resource, session, raw } = await known();
    const { connection } = raw as unknown as { connection: Connection };
    if (callback) connection._send = (bytes) => connection.stream.write(bytes, callback);
    const pieces = jest.spyOn(connection.stream, '_write');
    const many = jest.spyOn(connection.stream, '_writev');
    await h.write(session, 'in one piece');
    // Older drivers flush within a statement, and write that by themselves.
    const due = String(connection.sync).includes('flushBuffer') ? 3 : 1;
    if (!callback) expect([pieces.mock.calls.length, many.mock.calls.length]).toEqual([due, 0]);
    expect(await resource.prepare(session.branch, session)).toEqual({ kind: 'prepared' });
    expect(await resource.abort(session.branch)).toEqual({ kind: 'aborted' });
  });

  it('fails as any other where it fails itself', async () => {
    const { resource, session } = await known();
    await expect(session.client.query('SELECT 1 / $1::int', [0])).rejects.toThrow(/zero/);
    expect(await resource.prepare(session.branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'ROLLED_BACK' },
    });
  });

  it('whose values cannot be sent leaves the branch at work', async () => {
    const { resource, session } = await known();
    const unfit = {
      toPostgres: () => {
        throw new Error('unfit');
      },
    };
    await expect(session.client.query(INSERT, [unfit])).rejects.toThrow('unfit');
    await h.write(session, 'after all');
    expect(await resource.prepare(session.branch, session)).toEqual({ kind: 'prepared' });
    expect(await resource.abort(session.branch)).toEqual({ kind: 'aborted' });
  });

  it('that the driver refuses ends the branch, and the next one awaits its BEGIN', async () => {
    const { resource, session } = await known();
    await session.client.query({ name: 'n', text: 'SELECT $1::text', values: ['a'] });
    expect(await resource.prepare(session.branch, session)).toEqual({ kind: 'read-only' });
    const refused = await beginOn(resource, freshBranch());
    const other = { name: 'n', text: 'SELECT $1::int', values: [1] };
    await expect(refused.client.query(other)).rejects.toThrow(/must be unique/);
    await expect(h.write(refused, 'beside')).rejects.toThrow();
    expect(await h.sees('beside')).toBe(false);
    expect(await resource.prepare(refused.branch, refused)).toMatchObject({ kind: 'rolled-back' });
    const next = await beginOn(resource, freshBranch());
    await h.write(next, 'next');
    expect(await resource.prepare(next.branch, next)).toEqual({ kind: 'prepared' });
    expect(await resource.abort(next.branch)).toEqual({ kind: 'aborted' });
  });

  it('and that is under way when the branch is rolled back keeps its connection from the pool', async () => {
    const { resource, session } = await known();
    const { backend } = session;
    const holder = await h.dba.connect();
    try {
      await holder.query(`BEGIN; INSERT INTO once VALUES ('wanted')`);
      const waiting = session.client.query('INSERT INTO once VALUES ($1)', ['wanted']);
      const ended = waiting.then(
        () => 'answered',
        () => 'ended',
      );
      await until(h.dba, `SELECT 1 FROM pg_locks WHERE pid = ${backend} AND NOT granted`);
      await resource.rollback(session);
      const next = await beginOn(resource, freshBranch());
      await resource.rollback(next);
      expect(next.backend).not.toBe(backend);
      expect(await ended).toBe('ended');
      const gone = `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE pid = ${backend})`;
      await until(h.dba, gone);
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
  });

  it('and that arrives after the signal which ends it waits for no lock either', async () => {
    const { resource, session, raw } = await known();
    const { stream } = (raw as unknown as { connection: { stream: Socket } }).connection;
    const holder = await h.dba.connect();
    try {
      await holder.query(`BEGIN; INSERT INTO once VALUES ('late')`);
      await h.write(session, 'before');
      stream.cork();
      const late = session.client.query(`INSERT INTO once VALUES ('late')`).catch(String);
      const rolledBack = resource.rollback(session);
      const signal = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_cancel_backend%'`;
      await until(h.dba, `${signal} AND state = 'idle' AND datname = current_database()`);
      stream.uncork();
      await rolledBack;
      const gone = `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE pid = ${session.backend})`;
      await until(h.dba, gone);
      expect(await late).toMatch(/canceling statement/);
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
  });

  it('that never comes costs nothing: the branch has only read', async () => {
    const { resource, session, raw } = await known();
    const asked = jest.spyOn(raw, 'query');
    expect(await resource.prepare(session.branch, session)).toEqual({ kind: 'read-only' });
    expect(asked).not.toHaveBeenCalled();
  });
});
