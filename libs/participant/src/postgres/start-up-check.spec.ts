/**
 * The start-up check on a real server: probes that processes left behind, connections that are allowed
 * and needed, and a migration that is held up or not allowed.
 */
import { SystemClock } from '@concordat/channel';
import type { ClusterId, InstanceId } from '@concordat/protocol';
import { AS_EVER, startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { judgeConnections, type ConnectionLimits } from './connections.js';
import { examine, examineCluster, examineServer, type Finding } from './doctor.js';
import { MigrationBlocked, MigrationDenied } from './migrate.js';
import { PostgresResource } from './postgres-resource.js';
import { listLeftProbes, sweepProbes } from './probe.js';

const CLUSTER = 'startups' as ClusterId;
const INSTANCE = 'inst0001' as InstanceId;
const AT = { cluster: CLUSTER, instance: INSTANCE };
const PROBE = `cc:${CLUSTER}:probe-`;

let server: PostgresServer;
let url: string;
let dba: pg.Pool;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startPostgres();
  url = await server.createDatabase('ledger');
  await server.createDatabase('stranger');
  // It looks for probes as the library's own pools do.
  dba = new pg.Pool({ connectionString: server.url('ledger'), max: 4, types: AS_EVER });
  dba.on('error', () => undefined);
  await dba.query('GRANT CONNECT ON DATABASE ledger TO stranger');
  await open().migrate();
}, 60_000);

afterEach(async () => {
  const { rows } = await dba.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');
  for (const { gid } of rows) await dba.query(`ROLLBACK PREPARED '${gid}'`);
});

afterAll(async () => {
  for (const close of closers) await close();
  await dba.end();
  await server.dispose();
});

/** A resource of its own on the ledger's database. */
function open(config: pg.PoolConfig = {}, schema?: string): PostgresResource {
  const pool = new pg.Pool({ connectionString: url, max: 4, ...config });
  pool.on('error', () => undefined);
  const resource = new PostgresResource({ pool, clock: new SystemClock(), schema });
  closers.push(async () => {
    await resource.close();
    await pool.end();
  });
  return resource;
}

async function prepare(pool: pg.Pool, gid: string): Promise<string> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('SELECT pg_current_xact_id()');
  await client.query(`PREPARE TRANSACTION '${gid}'`);
  client.release();
  return gid;
}

const prepared = async (): Promise<string[]> => {
  const { rows } = await dba.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');
  return rows.map(({ gid }) => gid);
};

const of = (check: string, findings: readonly Finding[]) =>
  findings.filter((one) => one.check === check);

describe('a probe', () => {
  it('of a process that died is rolled back by the next check of any instance, however young', async () => {
    const resource = open();
    await prepare(resource.sessions, `${PROBE}gone0001`);
    expect(await listLeftProbes(resource.secondPhasePool, CLUSTER)).toEqual([
      { gid: `${PROBE}gone0001`, owner: 'ledger', ageMs: expect.any(Number) as number },
    ]);
    expect(await examineCluster(resource, AT)).toEqual([]);
    expect(await prepared()).toEqual([]);
  });

  it('of the own name that an earlier attempt left is no obstacle', async () => {
    const resource = open();
    await prepare(resource.sessions, `${PROBE}${INSTANCE}`);
    expect(await examineCluster(resource, AT)).toEqual([]);
    expect(await prepared()).toEqual([]);
  });

  it('that another instance is just trying is left alone, and not reported', async () => {
    const resource = open();
    const gid = `${PROBE}busy0001`;
    const other = await resource.secondPhasePool.connect();
    await other.query('BEGIN');
    await other.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [gid]);
    await prepare(resource.sessions, gid);
    expect(await listLeftProbes(resource.secondPhasePool, CLUSTER)).toEqual([]);
    expect(await examineCluster(resource, AT)).toEqual([]);
    expect(await prepared()).toEqual([gid]);
    other.release(true);
    // The server notices the end of a session a moment later.
    await waitFor(
      async () => {
        await sweepProbes(resource.secondPhasePool, CLUSTER);
        return (await prepared()).length === 0;
      },
      { what: 'the sweep' },
    );
  });

  it('is attended while it is tried, and unattended afterwards', async () => {
    const resource = open();
    const attended: (readonly string[])[] = [];
    // As another instance would look, at each statement of the examination.
    const seen = async (): Promise<void> => {
      attended.push((await listLeftProbes(dba, CLUSTER)).map(({ gid }) => gid));
    };
    watch(resource.sessions, seen);
    watch(resource.secondPhasePool, seen);
    expect(await examineCluster(resource, AT)).toEqual([]);
    expect(attended.length).toBeGreaterThan(6);
    // Between the end of the attendance and the roll-back only, when a sweep does no harm any more.
    expect(attended.filter((gids) => gids.length > 0)).toEqual([[`${PROBE}${INSTANCE}`]]);
  });

  it('that a sweep of another instance rolled back in that moment is a good one', async () => {
    const resource = open();
    watch(resource.secondPhasePool, async (text) => {
      if (/^ROLLBACK PREPARED/.test(text)) await sweepProbes(dba, CLUSTER);
    });
    expect(await examineCluster(resource, AT)).toEqual([]);
  });

  it('of another role is reported with its age, what it holds and who can end it, and stays', async () => {
    const strangers = new pg.Pool({ connectionString: server.url('ledger', 'stranger'), max: 1 });
    const gid = await prepare(strangers, `${PROBE}alien001`);
    await strangers.end();
    const resource = open();
    const findings = await examineCluster(resource, AT);
    expect(of('left-probe', findings)).toEqual([
      {
        severity: 'warning',
        check: 'left-probe',
        message: expect.stringMatching(
          /probe-alien001 is a probe of a start-up check whose process died [\d.]+ m?s ago\. It holds a prepared slot of the server and keeps vacuum back; role stranger prepared it, so ledger cannot/,
        ) as string,
        remedy: expect.stringContaining(`run ROLLBACK PREPARED '${gid}' as stranger`) as string,
      },
    ]);
    expect(await sweepProbes(resource.secondPhasePool, CLUSTER)).toMatchObject([
      { owner: 'stranger' },
    ]);
    expect(await prepared()).toEqual([gid]);
    await dba.query('GRANT stranger TO ledger');
    expect(await sweepProbes(resource.secondPhasePool, CLUSTER)).toEqual([]);
    expect(await prepared()).toEqual([]);
    await dba.query('REVOKE stranger FROM ledger');
  });

  it('that a session of another server does not see is reported, and is not left behind', async () => {
    const resource = open();
    const elsewhere = new pg.Pool({ connectionString: server.url('stranger', 'stranger') });
    closers.push(() => elsewhere.end());
    const misled = Object.create(resource) as { secondPhasePool: pg.Pool };
    Object.defineProperty(misled, 'secondPhasePool', { value: elsewhere });
    const [finding] = await examineCluster(misled as PostgresResource, AT);
    expect(finding).toMatchObject({ check: 'probe', severity: 'failure' });
    expect(finding?.message).toMatch(/could not be rolled back from another connection/);
    expect(await prepared()).toEqual([]);
  });
});

describe('connections', () => {
  const need = { pool: 16, secondPhase: 8, inspection: 1 };
  const none: ConnectionLimits = {
    role: 'ledger',
    database: 'ledger',
    superuser: false,
    roleLimit: -1,
    databaseLimit: -1,
    serverMax: 100,
    superuserReserved: 3,
    reserved: 0,
  };

  it('within every limit are not mentioned', () => {
    expect(judgeConnections(need, none)).toEqual([]);
    expect(judgeConnections(need, { ...none, roleLimit: 25, databaseLimit: 25 })).toEqual([]);
    expect(judgeConnections(need, { ...none, superuser: true, roleLimit: 5 })).toEqual([]);
  });

  it.each<[string, Partial<ConnectionLimits>, RegExp, RegExp]>([
    ['its role', { roleLimit: 24 }, /role ledger may have 24/, /ALTER ROLE/],
    ['its database', { databaseLimit: 2 }, /database ledger takes 2/, /ALTER DATABASE/],
    [
      'the server',
      { serverMax: 30, reserved: 3 },
      /the server takes 24 from all clients together \(max_connections 30 - reserved 6\)/,
      /raise max_connections/,
    ],
  ])('beyond what %s allows are a warning with the arithmetic', (_, limits, cause, remedy) => {
    const [finding, ...others] = judgeConnections(need, { ...none, ...limits });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: 'warning', check: 'connections' });
    expect(finding?.message).toMatch(/up to 25 \(pool 16 \+ finishing 8 \+ inspection 1\)/);
    expect(finding?.message).toMatch(cause);
    expect(finding?.remedy).toMatch(remedy);
    expect(finding?.remedy).toMatch(/25 for each instance that runs at once/);
  });

  it('of which there is one are a failure: nothing can be finished beside a branch at work', () => {
    expect(judgeConnections(need, { ...none, roleLimit: 1 })).toMatchObject([
      { severity: 'failure', check: 'connections' },
    ]);
  });

  it('are read from the server as it is', async () => {
    await dba.query(
      'ALTER ROLE ledger CONNECTION LIMIT 40; ALTER DATABASE ledger CONNECTION LIMIT 60',
    );
    try {
      const { findings } = await examineServer(open({ max: 300 }), { sessionsMax: 200 });
      expect(of('connections', findings).map(({ message }) => message)).toEqual([
        expect.stringContaining('up to 309 (pool 300 + finishing 8 + inspection 1)'),
        expect.stringContaining('database ledger takes 60'),
        expect.stringMatching(/the server takes 197 from all clients together/),
      ]);
      const few = await examineServer(open({ max: 4 }), { sessionsMax: 4 });
      expect(of('connections', few.findings)).toEqual([]);
    } finally {
      await dba.query(
        'ALTER ROLE ledger CONNECTION LIMIT -1; ALTER DATABASE ledger CONNECTION LIMIT -1',
      );
    }
  });

  it('that branches can take all of leave none for the service itself: reported where it has the same pool', async () => {
    const resource = open({ max: 4 });
    const shared = { sessionsMax: 4, isPoolShared: true };
    const { findings } = await examineServer(resource, shared);
    expect(of('pool', findings)).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringMatching(/sessionsMax is 4, and so is the size/),
      },
    ]);
    const roomy = await examine(resource, { ...AT, ...shared, sessionsMax: 3 });
    expect(of('pool', roomy.findings)).toEqual([]);
    const own = await examineServer(resource, { sessionsMax: 4 });
    expect(of('pool', own.findings)).toEqual([]);
  });
});

describe('the migration', () => {
  it('that another session holds up says who does, and can be tried again', async () => {
    const holder = await dba.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT pg_advisory_xact_lock(7165915668497687649)');
    const resource = open({}, 'held_up');
    const failed: unknown = await resource.migrate().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(MigrationBlocked);
    expect(String(failed)).toMatch(/another session holds the lock.*\nRemedy: /);
    await holder.query('COMMIT');
    holder.release();
    await dba.query('GRANT CREATE ON DATABASE ledger TO ledger');
    expect(await resource.migrate()).toBe(2);
    expect(await resource.migrate()).toBe(0);
  }, 30_000);

  it('that the role may not make says what to grant', async () => {
    const resource = open({ connectionString: server.url('ledger', 'stranger') }, 'forbidden');
    await expect(resource.migrate()).rejects.toThrow(MigrationDenied);
    await expect(resource.migrate()).rejects.toThrow(
      /in schema forbidden: .+\nRemedy: GRANT CREATE/,
    );
  });
});

/** Called with each statement on a pool's clients before it is sent. */
function watch(pool: pg.Pool, before: (text: string) => Promise<void>): void {
  pool.on('acquire', (client) => {
    const { query } = client;
    const watched = async (...args: unknown[]): Promise<unknown> => {
      const [asked] = args as [string | { text: string }];
      await before(typeof asked === 'string' ? asked : asked.text);
      return Reflect.apply(query, client, args) as Promise<unknown>;
    };
    Object.defineProperty(client, 'query', { value: watched, configurable: true, writable: true });
  });
  pool.on('release', (_error, client) => {
    delete (client as unknown as { query?: unknown }).query;
  });
}
