/**
 * Why a branch votes no, as a real server causes it: every error code it can raise, in a statement and
 * at PREPARE; every kind of lock that is waited for, with who held it; and every way in which a branch
 * can end under its operation.
 */
import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { BranchEnded, type PostgresSession, type RefusedBranch } from '@concordat/participant';
import type { BranchKey } from '@concordat/engine';
import {
  RETRYABLE,
  formatGid,
  protocolNo,
  type NoCode,
  type VoteAgainst,
} from '@concordat/protocol';
import { startPostgres, type PostgresServer } from '@concordat/testing';
import { ERROR_CLASSES } from '../../libs/participant/src/postgres/errcodes.spec-support.js';
import { CLUSTER, beginOn, freshBranch } from './resource.js';
import { postgresHarness, until, type PostgresHarness } from './resource-postgres.js';

const CODES = ERROR_CLASSES.flatMap(({ codes }) => codes);
const SECRET = 'the balance of alice is 42';

let server: PostgresServer;
let h: PostgresHarness;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 20 } });
  h = await postgresHarness(server);
  await h.dba.query(`
    CREATE TABLE late (code text);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION '${SECRET}' USING ERRCODE = NEW.code; END $$;
    CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION refuse();`);
}, 60_000);

afterAll(async () => {
  await h.close();
  await server.dispose();
});

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('every code of the server', () => {
  /** PL/pgSQL takes the code of success for none. */
  const raised = (code: string) => (code === '00000' ? 'P0001' : code);

  it('is in the list that is considered', async () => {
    const { rows } = await h.dba.query<{ folder: string }>(
      `SELECT setting AS folder FROM pg_config WHERE name = 'SHAREDIR'`,
    );
    const file = `${rows[0]?.folder}/errcodes.txt`;
    if (!existsSync(file)) return; // Some packages leave it out.
    const own = [...readFileSync(file, 'utf8').matchAll(/^([0-9A-Z]{5}) /gm)].map(
      ([, code]) => code,
    );
    expect(own.length).toBeGreaterThan(250);
    expect(own.filter((code) => !CODES.includes(code as string))).toEqual([]);
  });

  it('in a statement is a vote that quotes nothing of it', async () => {
    for (const code of CODES) {
      const session = await beginOn(h.resource, freshBranch());
      const sql = `DO $$ BEGIN RAISE EXCEPTION '${SECRET}' USING ERRCODE = '${code}'; END $$`;
      const vote = h.resource.voteOf(await thrownBy(session.client.query(sql)));
      await h.resource.rollback(session);
      expect({ code, ...vote }).toMatchObject({ kind: 'no', details: { sqlstate: raised(code) } });
      expect(vote?.retryable).toBe(RETRYABLE[vote?.code as NoCode]);
      expect(JSON.stringify(vote)).not.toMatch(/alice/);
    }
  }, 60_000);

  it('in deferred work is a vote too, and leaves nothing prepared', async () => {
    const heard = new Map<string, unknown>();
    h.resource.onRefused(({ branch, cause }) => heard.set(formatGid(branch), cause));
    for (const code of CODES) {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await session.client.query('INSERT INTO late VALUES ($1)', [code]);
      const result = await h.resource.prepare(branch, session);
      expect({ code, kind: result.kind }).toEqual({ code, kind: 'rolled-back' });
      const vote = 'vote' in result ? result.vote : undefined;
      expect({ code, ...vote }).toMatchObject({ kind: 'no', details: { sqlstate: raised(code) } });
      expect(JSON.stringify(result)).not.toMatch(/alice/);
      // The words of the server are for the log.
      expect(heard.get(formatGid(branch))).toHaveProperty('message', SECRET);
    }
    h.resource.onRefused(() => undefined);
    expect((await h.resource.listPrepared(CLUSTER)).entries).toEqual([]);
  }, 60_000);

  it('that a deferred trigger raises as an exception is a permanent no', async () => {
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await session.client.query(`INSERT INTO late VALUES ('P0001')`);
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'RAISED_BY_DATABASE', retryable: false, details: { sqlstate: 'P0001' } },
    });
  });
});

describe('a wait for a lock', () => {
  const TIME_LEFT_MS = 2_000;

  interface Ended {
    readonly vote: VoteAgainst | undefined;
    readonly leftMs: number;
  }

  let holder: pg.Client;
  let pid: number;
  let prepared: BranchKey;
  let atWork: PostgresSession;
  const waits = new Map<string, Promise<Ended>>();

  beforeAll(async () => {
    await h.dba.query(`
      CREATE TABLE parent (id int PRIMARY KEY);
      CREATE TABLE child (parent int REFERENCES parent);
      CREATE TABLE held (id int PRIMARY KEY, n int);
      CREATE TABLE whole (id int);
      CREATE TABLE late_wait (id int);
      CREATE FUNCTION wait_late() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN UPDATE held SET n = 0 WHERE id = 4; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON late_wait DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_late();
      INSERT INTO parent VALUES (1);
      INSERT INTO held SELECT n, 0 FROM generate_series(1, 5) n;`);
    holder = new pg.Client({ connectionString: h.url, application_name: 'nightly report' });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query(`
      UPDATE held SET n = 1 WHERE id IN (1, 4, 5);
      DELETE FROM parent WHERE id = 1;
      INSERT INTO held VALUES (99, 0);
      LOCK TABLE whole;
      SELECT pg_advisory_xact_lock(4711)`);
    pid = (await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]
      ?.pid as number;
    prepared = freshBranch();
    const session = await beginOn(h.resource, prepared);
    await session.client.query('UPDATE held SET n = 1 WHERE id = 2');
    expect(await h.resource.prepare(prepared, session)).toEqual({ kind: 'prepared' });
    atWork = await beginOn(wide(), freshBranch(), 60_000);
    await atWork.client.query('UPDATE held SET n = 1 WHERE id = 3');
    // All at once, or a suite would wait for each of them in turn.
    for (const [name, { sql }] of Object.entries(WAITS)) waits.set(name, waitFor(sql));
    // Alone at its row: behind others that end at the same time, one of these may be seen to hold it.
    waits.set('late', waitFor('UPDATE held SET n = 2 WHERE id = 5', TIME_LEFT_MS / 2));
    waits.set('in deferred work', waitInDeferredWork());
    await Promise.all(waits.values());
  }, 60_000);

  afterAll(async () => {
    await holder.end();
    await wide().rollback(atWork);
    expect(await h.resource.abort(prepared)).toEqual({ kind: 'aborted' });
  });

  let opened: PostgresHarness['resource'] | undefined;
  const wide = () => (opened ??= h.open(h.url, { max: 20, application_name: 'ledger' }));

  async function waitFor(sql: string, afterMs = 0): Promise<Ended> {
    const session = await beginOn(wide(), freshBranch(), TIME_LEFT_MS);
    if (afterMs > 0) await session.client.query('SELECT pg_sleep($1)', [afterMs / 1_000]);
    const error = await thrownBy(session.client.query(sql));
    const leftMs = session.deadlineAt - performance.now();
    await wide().rollback(session);
    return { vote: wide().voteOf(error), leftMs };
  }

  async function waitInDeferredWork(): Promise<Ended> {
    const branch = freshBranch();
    const session = await beginOn(wide(), branch, TIME_LEFT_MS);
    await session.client.query('INSERT INTO late_wait VALUES (1)');
    const result = await wide().prepare(branch, session);
    const vote = result.kind === 'rolled-back' ? result.vote : undefined;
    return { vote, leftMs: session.deadlineAt - performance.now() };
  }

  type Holder = () => Readonly<Record<string, unknown>>;
  const bySession: Holder = () => ({ pid, application: 'nightly report' });
  const byBranch: Holder = () => ({ gid: formatGid(prepared) });
  const byWork: Holder = () => ({
    ...{ pid: atWork.backend, application: 'ledger' },
    gid: formatGid(atWork.branch),
  });

  interface Case {
    readonly sql: string;
    readonly relation?: string;
    readonly holder: Holder;
    readonly said: RegExp;
  }
  const row = /a row of held, at \(\d+,\d+\)/;
  const WAITS: Readonly<Record<string, Case>> = {
    'a row to change': {
      ...{ sql: 'UPDATE held SET n = 2 WHERE id = 1', relation: 'held', holder: bySession },
      said: row,
    },
    'the same row, behind another that waits for it': {
      ...{ sql: 'UPDATE held SET n = 3 WHERE id = 1', relation: 'held', holder: bySession },
      said: row,
    },
    'a row to lock': {
      ...{ sql: 'SELECT FROM held WHERE id = 1 FOR UPDATE', relation: 'held', holder: bySession },
      said: row,
    },
    'a row that a prepared branch holds': {
      ...{ sql: 'DELETE FROM held WHERE id = 2', relation: 'held', holder: byBranch },
      said: /which is prepared/,
    },
    'a row that another branch of this instance has': {
      ...{ sql: 'UPDATE held SET n = 2 WHERE id = 3', relation: 'held', holder: byWork },
      said: /at work in session/,
    },
    'an entry of a unique index': {
      ...{ sql: 'INSERT INTO held VALUES (99, 1)', relation: 'held_pkey', holder: bySession },
      said: /time: held_pkey/,
    },
    'the row a foreign key points to': {
      ...{ sql: 'INSERT INTO child VALUES (1)', relation: 'parent', holder: bySession },
      said: /a row of parent/,
    },
    'a whole table': {
      ...{ sql: 'SELECT FROM whole', relation: 'whole', holder: bySession },
      said: /time: whole/,
    },
    'an advisory lock': {
      ...{ sql: 'SELECT pg_advisory_xact_lock(4711)', holder: bySession },
      said: /an advisory lock/,
    },
  };

  it.each(Object.keys(WAITS))('for %s says for what, and who held it', async (name) => {
    const { relation, holder: held, said } = WAITS[name] as Case;
    const { vote, leftMs } = (await waits.get(name)) as Ended;
    expect(vote).toMatchObject({ code: 'LOCK_TIMEOUT', retryable: true });
    expect(vote?.reason).toMatch(said);
    const { relation: seen, holder: by } = vote?.details ?? {};
    expect({ seen, by }).toEqual({ seen: relation, by: held() });
    expect(leftMs).toBeGreaterThan(0);
  });

  it('that began late ends before the time is over, too', async () => {
    const { vote, leftMs } = (await waits.get('late')) as Ended;
    expect(vote).toMatchObject({ code: 'LOCK_TIMEOUT', details: { relation: 'held' } });
    expect(vote?.details?.['holder']).toEqual(bySession());
    expect(leftMs).toBeGreaterThan(0);
  });

  it('of deferred work is a vote, and in time', async () => {
    const { vote, leftMs } = (await waits.get('in deferred work')) as Ended;
    expect(vote).toMatchObject({ code: 'LOCK_TIMEOUT', details: { relation: 'held' } });
    expect(leftMs).toBeGreaterThan(0);
  });

  it('that was ended by a signal without an answer leaves a connection that is not lent again', async () => {
    const small = h.open(h.url, { max: 1 });
    const session = await beginOn(small, freshBranch());
    session.signalled = true;
    await small.rollback(session);
    expect(small.sessions.totalCount).toBe(0);
    const next = await beginOn(small, freshBranch());
    expect(next.backend).not.toBe(session.backend);
    await small.rollback(next);
    expect(small.sessions.idleCount).toBe(1);
  });

  it('that an operation does not want is a vote at once', async () => {
    const session = await beginOn(wide(), freshBranch());
    const sql = 'SELECT FROM held WHERE id = 1 FOR UPDATE NOWAIT';
    const vote = wide().voteOf(await thrownBy(session.client.query(sql)));
    await wide().rollback(session);
    expect(vote).toMatchObject({ code: 'LOCK_TIMEOUT', retryable: true });
  });

  it('of one whose connection is cancelled manually names no lock and no deadline as the cause', async () => {
    const session = await beginOn(wide(), freshBranch());
    const sleeping = thrownBy(session.client.query('SELECT pg_sleep(60)'));
    await until(
      h.dba,
      `SELECT 1 FROM pg_stat_activity WHERE pid = ${session.backend} AND wait_event = 'PgSleep'`,
    );
    await h.dba.query('SELECT pg_cancel_backend($1)', [session.backend]);
    const vote = wide().voteOf(await sleeping);
    await wide().rollback(session);
    expect(vote).toMatchObject({ code: 'RESOURCE_UNAVAILABLE', details: { sqlstate: '57014' } });
  });
});

describe('the outcome row', () => {
  async function refusalOf(
    statements: readonly string[],
    resource: PostgresHarness['resource'],
  ): Promise<RefusedBranch> {
    let heard: RefusedBranch | undefined;
    resource.onRefused((refusal) => (heard = refusal));
    const branch = freshBranch();
    const session = await beginOn(resource, branch);
    for (const sql of statements) await session.client.query(sql);
    const result = await resource.prepare(branch, session);
    expect(result).toMatchObject({ kind: 'rolled-back', vote: heard?.vote });
    return heard as RefusedBranch;
  }
  const write = `INSERT INTO work VALUES ('reasons')`;

  it('that the role of the service may not write is a fault with its remedy', async () => {
    await h.dba.query(`CREATE ROLE reader LOGIN PASSWORD 'pw'; GRANT INSERT ON work TO reader`);
    const url = Object.assign(new URL(h.url), { username: 'reader', password: 'pw' });
    const { vote, cause } = await refusalOf([write], h.open(url.href, { max: 1 }));
    expect(vote).toMatchObject({ code: 'RESOURCE_FAULT', details: { sqlstate: '42501' } });
    expect(vote.reason).toMatch(/GRANT SELECT, INSERT, DELETE/);
    expect(cause).toMatchObject({ message: expect.stringMatching(/permission denied/) as string });
  });

  it('that meets a session which forgot its statements, as behind a pooler, says what to set', async () => {
    const resource = h.open(h.url, { max: 1 });
    const branch = freshBranch();
    const session = await beginOn(resource, branch);
    await session.client.query(write);
    expect(await resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
    expect(await resource.abort(branch)).toEqual({ kind: 'aborted' });
    const forget = `DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$`;
    const { vote } = await refusalOf([write, forget], resource);
    expect(vote).toMatchObject({ code: 'RESOURCE_FAULT', details: { sqlstate: '26000' } });
    expect(vote.reason).toMatch(/namedStatements to false/);
  });
});

describe('a connection that is not made', () => {
  beforeAll(() => h.dba.query(`CREATE ROLE narrow LOGIN PASSWORD 'new' CONNECTION LIMIT 0`));

  async function refusalOf(url: string, more: pg.PoolConfig = {}): Promise<VoteAgainst> {
    const resource = h.open(url, more);
    let cause: unknown;
    resource.onRefused((refusal) => (cause = refusal.cause));
    const begun = await resource.begin(freshBranch(), { timeLeftMs: 4_000 });
    if (begun.kind === 'begun') throw new Error('it began');
    expect(cause).toHaveProperty('message');
    return begun.vote;
  }

  it.each([
    ['of a role with another password', { username: 'narrow', password: 'old' }, '28P01'],
    ['to a database that is none', { pathname: '/nowhere' }, '3D000'],
  ])('%s is a fault', async (_what, change, sqlstate) => {
    const url = Object.assign(new URL(h.url), change);
    expect(await refusalOf(url.href)).toMatchObject({
      code: 'RESOURCE_FAULT',
      retryable: false,
      details: { sqlstate },
    });
  });

  it('because the role has no more of them may be tried again, and says what to change', async () => {
    const url = Object.assign(new URL(h.url), { username: 'narrow', password: 'new' });
    const vote = await refusalOf(url.href);
    expect(vote).toMatchObject({ code: 'RESOURCE_UNAVAILABLE', details: { sqlstate: '53300' } });
    expect(vote.reason).toMatch(/CONNECTION LIMIT/);
  });

  it('because no server listens names no address', async () => {
    const url = new URL(h.url);
    url.port = '1';
    const vote = await refusalOf(url.href);
    expect(vote).toMatchObject({ code: 'RESOURCE_UNAVAILABLE', retryable: true });
    expect(vote.reason).toBe('The database cannot be reached: ECONNREFUSED.');
  });
});

describe('a branch that ends under its operation', () => {
  const overtaken = protocolNo('DEADLINE_PASSED', 'The time for this transaction is over.');

  it('learns the cause from the next query, and is not blamed', async () => {
    const session = await beginOn(h.resource, freshBranch());
    await h.resource.rollback(session, overtaken);
    const error = await thrownBy(session.client.query('SELECT 1'));
    expect(error).toBeInstanceOf(BranchEnded);
    expect((error as BranchEnded).vote).toEqual(overtaken);
  });

  it.each([
    ['terminated', 'SELECT pg_terminate_backend(pg_backend_pid())', 'RESOURCE_UNAVAILABLE'],
    [
      'idle for too long',
      `SET LOCAL idle_in_transaction_session_timeout = 1`,
      'IDLE_LEASE_EXPIRED',
    ],
  ])('because its session was %s says so', async (_what, sql, code) => {
    const session = await beginOn(h.resource, freshBranch());
    await thrownBy(session.client.query(sql));
    await until(
      h.dba,
      `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ${session.backend})`,
    );
    await thrownBy(session.client.query('SELECT 1'));
    expect(session.endedBy).toMatchObject({ code, retryable: true });
    const error = await thrownBy(session.client.query('SELECT 1'));
    expect((error as BranchEnded).vote.code).toBe(code);
    await h.resource.rollback(session);
  });

  it('by the end of its instance names that cause', async () => {
    const resource = h.open();
    const session = await beginOn(resource, freshBranch());
    expect(await resource.endSessions()).toBe(1);
    const error = await thrownBy(session.client.query('SELECT 1'));
    expect((error as BranchEnded).vote.code).toBe('SHUTTING_DOWN');
  });
});
