/**
 * A branch is its service's own, from the first statement to the outcome: with any role and settings its
 * operation takes on, anything it leaves behind or reaches for, and any service that shares the database.
 */
import pg from 'pg';
import { PostgresResource, SystemClock, type PostgresSession } from '@concordat/participant';
import { formatGid } from '@concordat/protocol';
import { AS_EVER, startPostgres, type PostgresServer } from '@concordat/testing';
import { CLUSTER, beginOn, freshBranch } from './resource.js';
import { itBehindAPooler, startPooler } from './pooler.js';
import { withClient } from './resource-postgres.js';

const SERVICE = 'service';
const TENANT = 'tenant_a';

let server: PostgresServer;
let url: string;
let dba: pg.Pool;
let pool: pg.Pool;
let resource: PostgresResource;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 50 } });
  url = await server.createDatabase(SERVICE);
  dba = new pg.Pool({ connectionString: server.url(SERVICE), max: 2 });
  await dba.query(`
    CREATE ROLE ${TENANT} NOLOGIN;
    GRANT ${TENANT} TO ${SERVICE};
    CREATE ROLE landlord NOLOGIN;
    CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink;`);
  await server.createDatabase('elsewhere');
  await withClient(server.url('elsewhere'), (client) =>
    client.query(
      'CREATE TABLE far (mark text); GRANT ALL ON far TO PUBLIC; GRANT CONNECT ON DATABASE elsewhere TO PUBLIC',
    ),
  );
  await dba.query(`
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw
      OPTIONS (host '127.0.0.1', port '${server.port}', dbname 'elsewhere');
    CREATE USER MAPPING FOR ${SERVICE} SERVER elsewhere
      OPTIONS (user '${SERVICE}', password '${new URL(url).password}');
    CREATE FOREIGN TABLE far (mark text) SERVER elsewhere;
    GRANT ALL ON far TO ${SERVICE};`);
  ({ pool, resource } = open());
  await resource.migrate();
  await pool.query(`
    CREATE TABLE note (mark text PRIMARY KEY, tenant text DEFAULT current_user);
    CREATE SEQUENCE numbers; GRANT ALL ON numbers TO PUBLIC;
    GRANT ALL ON note TO ${TENANT};
    CREATE FUNCTION take_role(name text, local boolean) RETURNS text LANGUAGE sql
      AS $$ SELECT set_config('role', name, local) $$;
    CREATE FUNCTION give_tenant() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
      PERFORM set_config('app.tenant', 'a', false);
      PERFORM set_config('search_path', 'tenant_a, public', false);
      PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$;
    CREATE FUNCTION lock_for_ever() RETURNS void LANGUAGE sql AS $$ SELECT pg_advisory_lock(815) $$;
    CREATE FUNCTION hold_cursor() RETURNS void LANGUAGE plpgsql
      AS $$ BEGIN EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1'; END $$;
    CREATE FUNCTION prepare_in_sql() RETURNS void LANGUAGE plpgsql
      AS $$ BEGIN EXECUTE 'PREPARE mine AS SELECT 1'; END $$;
    CREATE FUNCTION listen_in_sql() RETURNS void LANGUAGE plpgsql
      AS $$ BEGIN EXECUTE 'LISTEN news'; END $$;
    CREATE FUNCTION shout() RETURNS void LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_notify('news', 'too early'); END $$;
    CREATE FUNCTION as_tenant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF current_user <> '${TENANT}' OR current_setting('app.tenant') <> 'a' THEN
        RAISE EXCEPTION 'deferred work ran as % for %', current_user, current_setting('app.tenant');
      END IF; RETURN NULL; END $$;
    CREATE FUNCTION prepare_in_trigger() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN EXECUTE 'PREPARE by_trigger AS SELECT 1'; RETURN NEW; END $$;
    CREATE TABLE remembering (mark text);
    CREATE TRIGGER remembers BEFORE INSERT ON remembering
      FOR EACH ROW EXECUTE FUNCTION prepare_in_trigger();
    CREATE TABLE watched (mark text); GRANT ALL ON watched TO ${TENANT};
    CREATE CONSTRAINT TRIGGER watches AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION as_tenant();`);
}, 60_000);

afterAll(async () => {
  for (const close of closers) await close();
  await dba.end();
  await server.dispose();
});

/** A resource with one connection, so that the next user of the pool gets the same one. */
function open(config: pg.PoolConfig = {}): { pool: pg.Pool; resource: PostgresResource } {
  const its = new pg.Pool({ connectionString: url, max: 1, ...config });
  its.on('error', () => undefined);
  const made = new PostgresResource({ pool: its, clock: new SystemClock() });
  closers.push(async () => {
    await made.close();
    await its.end();
  });
  return { pool: its, resource: made };
}

type Work = (session: PostgresSession) => Promise<unknown>;

const sees = async (mark: string): Promise<boolean> =>
  (await dba.query('SELECT 1 FROM note WHERE mark = $1', [mark])).rowCount === 1;

let marks = 0;
const freshMark = (): string => `mark-${++marks}`;
const write =
  (mark: string): Work =>
  (session) =>
    session.client.query('INSERT INTO note (mark) VALUES ($1)', [mark]);

/** Runs work in a branch and prepares it. */
async function prepared(...work: readonly (Work | string)[]) {
  const branch = freshBranch();
  const session = await beginOn(resource, branch);
  try {
    for (const one of work) {
      await (typeof one === 'string' ? session.client.query(one) : one(session));
    }
  } catch (error) {
    await resource.rollback(session);
    throw error;
  }
  return { branch, result: await resource.prepare(branch, session) };
}

describe('A branch that took on a role', () => {
  it.each([
    ['SET LOCAL ROLE', `SET LOCAL ROLE ${TENANT}`],
    ['set_config for the transaction', `SELECT set_config('role', '${TENANT}', true)`],
    ['set_config for the session', `SELECT set_config('role', '${TENANT}', false)`],
    ['a function of its own', `SELECT take_role('${TENANT}', false)`],
    ['an anonymous block', `DO $$ BEGIN PERFORM take_role('${TENANT}', true); END $$`],
    ['a second statement in one text', `SELECT 1; SET ROLE ${TENANT}`],
  ])('by %s is prepared by its service, which can finish it', async (_way, statement) => {
    const mark = freshMark();
    const { branch, result } = await prepared(statement, write(mark));
    expect(result).toEqual({ kind: 'prepared' });
    const { rows } = await dba.query('SELECT owner FROM pg_prepared_xacts WHERE gid = $1', [
      formatGid(branch),
    ]);
    expect(rows).toEqual([{ owner: SERVICE }]);
    expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
    const written = await dba.query('SELECT tenant FROM note WHERE mark = $1', [mark]);
    expect(written.rows).toEqual([{ tenant: TENANT }]);
    expect((await pool.query('SELECT current_user AS who')).rows).toEqual([{ who: SERVICE }]);
  });

  it('runs its deferred work under that role and its settings', async () => {
    const { branch, result } = await prepared(
      `SET LOCAL ROLE ${TENANT}`,
      `SET LOCAL app.tenant = 'a'`,
      `INSERT INTO watched VALUES ('x')`,
    );
    expect(result).toEqual({ kind: 'prepared' });
    expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
  });

  it('is refused permanently where it changed the very user of the session', async () => {
    const root = new pg.Pool({ connectionString: server.url(SERVICE), max: 1 });
    const made = new PostgresResource({ pool: root, clock: new SystemClock() });
    try {
      const branch = freshBranch();
      const session = await beginOn(made, branch);
      await session.client.query(`SET LOCAL SESSION AUTHORIZATION ${SERVICE}`);
      await session.client.query(`INSERT INTO note (mark) VALUES ('by another')`);
      expect(await made.prepare(branch, session)).toMatchObject({
        kind: 'rolled-back',
        vote: { code: 'NOT_PREPARABLE', retryable: false },
      });
    } finally {
      await made.close();
      await root.end();
    }
  });

  it('in a service that takes on a role when it connects is prepared as the login finishes', async () => {
    await dba.query(`GRANT ALL ON concordat_branch TO ${TENANT}`);
    // As `options: '-c role=…'` does, which the oldest drivers do not send.
    await dba.query(`ALTER ROLE service SET role = '${TENANT}'`);
    try {
      const owned = open();
      const branch = freshBranch();
      const session = await beginOn(owned.resource, branch);
      await session.client.query('SET LOCAL ROLE NONE');
      await write(freshMark())(session);
      expect(await owned.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      expect(await owned.resource.commit(branch)).toEqual({ kind: 'committed' });
      const { rows } = await owned.pool.query('SELECT current_user AS who');
      expect(rows).toEqual([{ who: TENANT }]);
    } finally {
      await dba.query('ALTER ROLE service RESET role');
    }
  });

  it('of an earlier version, prepared by that role, is finished all the same', async () => {
    for (const finish of ['commit', 'abort'] as const) {
      const branch = freshBranch();
      const mark = freshMark();
      await withClient(url, async (client) => {
        await client.query(`BEGIN; SET LOCAL ROLE ${TENANT}`);
        await client.query('INSERT INTO note (mark) VALUES ($1)', [mark]);
        await client.query(
          `INSERT INTO concordat_branch (transaction, branch, participant, kind)
           VALUES ($1, $2, 'ledger-east', 'branch')`,
          [branch.transaction, branch.branch],
        );
        await client.query(`PREPARE TRANSACTION '${formatGid(branch)}'`);
      });
      const gids = (await resource.listPrepared(CLUSTER)).entries.map(({ gid }) => gid);
      expect(gids).toEqual([formatGid(branch)]);
      expect(await resource[finish](branch)).toEqual({
        kind: finish === 'commit' ? 'committed' : 'aborted',
      });
      expect(await sees(mark)).toBe(finish === 'commit');
    }
    expect((await resource.secondPhasePool.query('SELECT current_user AS who')).rows[0]).toEqual({
      who: SERVICE,
    });
  });
});

/** All that a session can keep from one transaction to the next, as its next user would find it. */
const SESSION = `
  SELECT current_user AS who, session_user AS login, current_setting('role') AS role,
         current_setting('app.tenant', true) AS tenant,
         coalesce((SELECT json_agg(json_build_array(name, setting) ORDER BY name) FROM pg_settings
           WHERE source = 'session' AND setting IS DISTINCT FROM reset_val), '[]') AS settings,
         (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid()
           AND locktype = 'advisory') AS locks,
         (SELECT count(*)::int FROM pg_cursors WHERE name <> '') AS cursors,
         (SELECT count(*)::int FROM pg_prepared_statements WHERE from_sql) AS statements,
         (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
         (SELECT count(*)::int FROM pg_class WHERE relpersistence = 't') AS temporary`;
/** A new one each time: older drivers keep a callback in what they are given. */
const askSession = () => ({ text: SESSION, types: AS_EVER });
const CLEAN = {
  ...{ who: SERVICE, login: SERVICE, role: 'none', settings: [], locks: 0, cursors: 0 },
  ...{ statements: 0, channels: 0, temporary: 0 },
};

const LEFT = [expect.arrayContaining([expect.stringMatching(/^(search_path|TimeZone|work_mem)$/)])];

/** The same behind a pooler, which itself sets what it keeps for its clients. */
const BEHIND = { ...CLEAN, settings: expect.not.arrayContaining(LEFT) as unknown };

/** Everything that can outlive a transaction in Postgres, by ways that no text shows. */
const LEAVING: readonly (readonly [string, string])[] = [
  ['settings, by set_config', `SELECT set_config('app.tenant', 'a', false)`],
  ['settings, by a function', 'SELECT give_tenant()'],
  ['settings, by an anonymous block', 'DO $$ BEGIN PERFORM give_tenant(); END $$'],
  ['settings, by a second statement', `SELECT 1; SET app.tenant = 'a'; SET work_mem = '1MB'`],
  ['a default of transactions', `SELECT set_config('default_transaction_read_only', 'on', false)`],
  ['a role', `SELECT take_role('${TENANT}', false)`],
  ['an advisory lock', 'SELECT lock_for_ever()'],
  ['a cursor with hold', 'SELECT hold_cursor()'],
  ['a statement prepared in SQL', 'SELECT prepare_in_sql()'],
  ['a channel listened to', 'SELECT listen_in_sql()'],
  ['a temporary table', 'SELECT 1; CREATE TEMP TABLE scratch (id int)'],
];

describe('Nothing is left on the connection', () => {
  const found = async (): Promise<unknown> => {
    const [{ tenant, ...state } = {}] = (await pool.query<Record<string, unknown>>(askSession()))
      .rows;
    expect(tenant ?? '').toBe('');
    return state;
  };

  it.each(LEAVING)('of %s, however the branch ends', async (_what, statement) => {
    const mark = freshMark();
    const ends: Record<string, () => Promise<unknown>> = {
      'after a vote': () => prepared(write(mark), statement),
      'of a branch that only read': () => prepared('SELECT 1', statement),
      'of a branch that failed': () =>
        prepared(statement, (session) => session.client.query('SELECT 1/0').catch(() => undefined)),
      'of a branch that was rolled back': async () => {
        const session = await beginOn(resource, freshBranch());
        await session.client.query(statement);
        await resource.rollback(session);
      },
    };
    for (const [end, run] of Object.entries(ends)) {
      await run();
      expect([end, await found()]).toEqual([end, CLEAN]);
    }
    const { entries } = await resource.listPrepared(CLUSTER);
    for (const { gid } of entries) await dba.query(`ROLLBACK PREPARED '${gid}'`);
  });

  it('and the next hundred users of it find it clean, and last values of sequences gone', async () => {
    // Without what Postgres cannot prepare; the settings last, for they hide the functions.
    const all = LEAVING.filter(([what]) => !/cursor|channel|temporary|^settings/.test(what));
    const [, settings = ''] = LEAVING[1] ?? [];
    const { branch, result } = await prepared(
      ...all.map(([, statement]) => statement),
      `SELECT nextval('public.numbers')`,
      settings,
      `SELECT public.take_role('none', false)`,
      `INSERT INTO public.note (mark) VALUES ('everything')`,
    );
    expect(result).toEqual({ kind: 'prepared' });
    for (let user = 0; user < 100; user++) expect(await found()).toEqual(CLEAN);
    await expect(pool.query('SELECT lastval()')).rejects.toMatchObject({ code: '55000' });
    expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
  });

  it('but a statement that a trigger prepares in SQL, which no text shows, until a branch calls a function', async () => {
    const unseen = await prepared(`INSERT INTO remembering VALUES ('a')`);
    expect(unseen.result).toEqual({ kind: 'prepared' });
    expect(await found()).toEqual({ ...CLEAN, statements: 1 });
    const looked = await prepared(write(freshMark()), `SELECT give_tenant()`);
    expect(looked.result).toEqual({ kind: 'prepared' });
    expect(await found()).toEqual(CLEAN);
    for (const { branch } of [unseen, looked]) await resource.abort(branch);
  });

  it('but what the service itself gave its sessions stays', async () => {
    const own = open();
    own.pool.on('connect', (client) => {
      void client.query(`SET search_path = public, pg_temp; SET app.tenant = 'of the service'`);
    });
    const settings = `SELECT current_setting('search_path') AS path,
      current_setting('app.tenant') AS tenant, current_setting('work_mem') AS memory`;
    const use = async () => {
      const branch = freshBranch();
      const session = await beginOn(own.resource, branch);
      await session.client.query('SELECT give_tenant()');
      await write(freshMark())(session);
      expect(await own.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      expect(await own.resource.commit(branch)).toEqual({ kind: 'committed' });
      return (await own.pool.query(settings)).rows;
    };
    const expected = { path: 'public, pg_temp', tenant: 'of the service' };
    expect(await use()).toMatchObject([expected]);
    // Also what it gives them later, on a connection that branches have used before.
    await own.pool.query(`SET work_mem = '5MB'`);
    expect(await use()).toEqual([{ ...expected, memory: '5MB' }]);
    expect(await use()).toEqual([{ ...expected, memory: '5MB' }]);
  });
});

describe('Nothing is left behind a pooler', () => {
  itBehindAPooler(
    'in the session that all of its clients share, after anything a branch did in it',
    async () => {
      const pooler = await startPooler(url);
      const shared = new pg.Pool({ connectionString: pooler.url, max: 1 });
      const behind = new PostgresResource({
        pool: shared,
        clock: new SystemClock(),
        namedStatements: false,
      });
      try {
        for (const [what, statement] of LEAVING) {
          for (const work of [
            [statement],
            [`INSERT INTO public.note (mark) VALUES ('${freshMark()}')`, statement],
          ]) {
            const branch = freshBranch();
            const session = await beginOn(behind, branch);
            for (const one of work) await session.client.query(one);
            await behind.prepare(branch, session);
            await withClient(pooler.url, async (another) => {
              const [{ tenant, ...state } = {}] = (
                await another.query<Record<string, unknown>>(askSession())
              ).rows;
              expect([what, tenant ?? '', state]).toEqual([what, '', BEHIND]);
            });
            expect((await behind.abort(branch)).kind).toBe('aborted');
          }
        }
      } finally {
        await behind.close();
        await shared.end();
        await pooler.stop();
      }
    },
  );
});

describe('Nothing has an effect before the decision', () => {
  const farMarks = async (): Promise<number> =>
    withClient(server.url('elsewhere'), async (client) => {
      const { rows } = await client.query<{ n: number }>({
        text: 'SELECT count(*)::int AS n FROM far',
        types: AS_EVER,
      });
      return rows[0]?.n ?? -1;
    });

  it.each([
    ['NOTIFY', `NOTIFY news, 'too early'`],
    ['pg_notify', `SELECT pg_notify('news', 'too early')`],
    ['a function that notifies', 'SELECT shout()'],
    ['a row in a foreign table', `INSERT INTO far VALUES ('too early')`],
  ])('%s alone is refused permanently, and has no effect outside', async (_what, statement) => {
    await withClient(url, async (listener) => {
      const heard: unknown[] = [];
      listener.on('notification', (message) => heard.push(message.payload));
      await listener.query('LISTEN news');
      for (const work of [[statement], [write(freshMark()), statement]]) {
        const { result } = await prepared(...work);
        expect(result).toMatchObject({
          kind: 'rolled-back',
          vote: { code: 'NOT_PREPARABLE', retryable: false },
        });
      }
      await dba.query(`SELECT pg_notify('news', 'later')`);
      while (heard.length === 0) await listener.query('SELECT 1');
      expect(heard).toEqual(['later']);
    });
    expect(await farMarks()).toBe(0);
  });

  it('reading a foreign table is no write', async () => {
    const { result } = await prepared('SELECT * FROM far');
    expect(result).toEqual({ kind: 'read-only' });
  });

  it.each([
    `SELECT dblink_exec('dbname=elsewhere', 'INSERT INTO far VALUES (1)')`,
    `SELECT * FROM dblink('dbname=elsewhere', 'SELECT 1') AS t (n int)`,
    `COPY note TO PROGRAM 'cat'`,
    `COPY (SELECT 1) TO '/nowhere'`,
    `SELECT lo_export(1, '/nowhere')`,
    `SELECT pg_logical_emit_message(false, 'x', 'y')`,
  ])('%s is not even run', async (statement) => {
    const session = await beginOn(resource, freshBranch());
    await expect(session.client.query(statement)).rejects.toThrow(/acts outside of the branch/);
    await resource.rollback(session);
  });

  it('large objects come and go with the branch', async () => {
    const { branch, result } = await prepared(`SELECT lo_from_bytea(4711, '\\x00')`);
    expect(result).toEqual({ kind: 'prepared' });
    expect(await resource.abort(branch)).toEqual({ kind: 'aborted' });
    const { rows } = await dba.query('SELECT 1 FROM pg_largeobject_metadata WHERE oid = 4711');
    expect(rows).toEqual([]);
  });

  it('a serialisable branch that only read has read what counts: it commits', async () => {
    const made = new PostgresResource({
      pool,
      clock: new SystemClock(),
      isolation: 'SERIALIZABLE',
    });
    closers.push(() => made.close());
    const [one, other] = [freshMark(), freshMark()];
    // The reader sees neither's order: without its commit, the cycle of the three would go unseen.
    const branch = freshBranch();
    const session = await beginOn(made, branch);
    await session.client.query('SELECT hold_cursor()').catch(() => undefined);
    await session.client.query(`SELECT * FROM note WHERE mark IN ('${one}', '${other}')`);
    expect((await made.prepare(branch, session)).kind).toMatch(/read-only|rolled-back/);
    const plain = await beginOn(made, freshBranch());
    await plain.client.query('SELECT mark FROM note');
    expect(await made.prepare(plain.branch, plain)).toEqual({ kind: 'read-only' });
    expect((await pool.query(askSession())).rows).toMatchObject([CLEAN]);
  });
});

describe('Two services in one database', () => {
  it('with a schema each list and judge their own branches only, with any role that prepared them', async () => {
    const [one, two] = ['mine', 'theirs'].map((schema) => {
      const made = new PostgresResource({ pool, clock: new SystemClock(), schema });
      closers.push(() => made.close());
      return made;
    }) as [PostgresResource, PostgresResource];
    await dba.query(`GRANT CREATE ON DATABASE ${SERVICE} TO ${SERVICE}`);
    await one.migrate();
    await two.migrate();
    const branches = [freshBranch(), freshBranch()] as const;
    for (const [at, its] of [one, two].entries()) {
      const branch = branches[at]!;
      const session = await beginOn(its, branch);
      await write(freshMark())(session);
      expect(await its.prepare(branch, session)).toEqual({ kind: 'prepared' });
    }
    const gids = async (its: PostgresResource) =>
      (await its.listPrepared(CLUSTER)).entries.map(({ gid }) => gid);
    expect(await gids(one)).toEqual([formatGid(branches[0])]);
    expect(await gids(two)).toEqual([formatGid(branches[1])]);
    expect((await one.lockImpact(CLUSTER)).map(({ gid }) => gid)).toEqual(await gids(one));
    // Found again after a crash of the server, when the locks are read from disk.
    dba.on('error', () => undefined);
    await server.stop({ mode: 'immediate' });
    await server.start();
    expect(await gids(one)).toEqual([formatGid(branches[0])]);
    expect(await one.commit(branches[0])).toEqual({ kind: 'committed' });
    expect(await two.abort(branches[1])).toEqual({ kind: 'aborted' });
  });
});
