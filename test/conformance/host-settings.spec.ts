/**
 * What a service sets for its process, its pool, its connections or its role is about its own statements.
 * Each of these hosts lives through a branch's whole life, and reads what it should read: a recovery that
 * depends on what its host set is off when it is needed.
 */
import {
  PostgresResource,
  SystemClock,
  createParticipant,
  examine,
  type PostgresSession,
} from '@concordat/participant';
import { formatGid, type InstanceId, type ParticipantName } from '@concordat/protocol';
import type { BranchKey } from '@concordat/engine';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { Checkup } from '../../libs/participant/src/inspection/checkup.js';
import { Inspector } from '../../libs/participant/src/inspection/inspector.js';
import { replaceParsers } from '../presets/replaced-parsers.js';
import { describeKeptStatements } from './kept-statements.js';
import { CLUSTER, beginOn, freshBranch } from './resource.js';

const SLOTS = 20;
const INSTANCE = 'instance' as InstanceId;
const aNumber = expect.any(Number) as number;

let server: PostgresServer;
let dba: pg.Client;
let databases = 0;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: SLOTS } });
  dba = new pg.Client({ connectionString: server.url() });
  await dba.connect();
}, 60_000);

afterAll(async () => {
  await dba.end();
  await server.dispose();
});

/** A service's pool on a database of its own, and the resource over it. */
async function withHost(
  work: (resource: PostgresResource, name: string) => Promise<void>,
  { config = {}, setUp, onPool, migrates = true, keptStatements }: Host = {},
): Promise<void> {
  databases += 1;
  const name = `host_${databases}`;
  const url = await server.createDatabase(name);
  const owner = new pg.Client({ connectionString: server.url(name) });
  await owner.connect();
  await owner.query('CREATE TABLE public.work (mark text CONSTRAINT work_mark PRIMARY KEY)');
  await owner.query(`ALTER TABLE public.work OWNER TO ${name}`);
  await owner.query(`GRANT CREATE ON SCHEMA public TO ${name}`);
  await setUp?.(owner, name);
  await owner.end();
  const pool = new pg.Pool({ connectionString: url, max: 4, ...config });
  onPool?.(pool);
  const resource = new PostgresResource({ pool, clock: new SystemClock(), keptStatements });
  try {
    if (migrates) await resource.migrate();
    await work(resource, name);
  } finally {
    await resource.close();
    await pool.end();
  }
}

interface Host {
  readonly config?: pg.PoolConfig & { readonly binary?: boolean };
  readonly setUp?: (owner: pg.Client, name: string) => Promise<void>;
  readonly onPool?: (pool: pg.Pool) => void;
  readonly migrates?: boolean;
  readonly keptStatements?: number;
}

/** Everything that the library asks a database, and all that it must understand of the answers. */
async function livesAWholeLife(resource: PostgresResource): Promise<void> {
  await isFit(resource);
  const [kept, undone, idle, twice] = [0, 1, 2, 3].map(() => freshBranch());
  await prepares(resource, kept!);
  await isSeen(resource, kept!);
  expect(await resource.commit(kept!)).toEqual({ kind: 'committed' });
  expect(await resource.commit(kept!)).toEqual({ kind: 'committed' });

  await prepares(resource, undone!);
  expect(await resource.abort(undone!)).toEqual({ kind: 'aborted' });
  const late = await begun(resource, undone!);
  await write(late, 'late');
  expect(await resource.prepare(undone!, late)).toMatchObject({
    vote: { code: 'ALREADY_FINISHED' },
  });

  const reader = await begun(resource, idle!);
  await reader.client.query('SELECT mark FROM public.work');
  expect(await resource.prepare(idle!, reader)).toEqual({ kind: 'read-only' });

  const second = await begun(resource, twice!);
  const refused = await write(second, kept!.transaction).catch((error: Error) => error);
  expect(resource.voteOf(refused)).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    details: { constraint: 'work_mark' },
  });
  expect(await resource.prepare(twice!, second)).toMatchObject({ vote: { code: 'ROLLED_BACK' } });

  expect(await resource.outcomesOf([kept!, undone!, idle!])).toEqual(
    expect.arrayContaining([
      { transaction: kept!.transaction, branch: kept!.branch, kind: 'branch' },
      { transaction: undone!.transaction, branch: undone!.branch, kind: 'tombstone' },
    ]),
  );
  const mark = { below: freshBranch().transaction, retentionMs: 0 };
  expect(await resource.prune(mark)).toBeGreaterThanOrEqual(2);
  expect(await resource.outcomesOf([kept!, undone!])).toEqual([]);
}

async function isFit(resource: PostgresResource): Promise<void> {
  const report = await examine(resource, {
    cluster: CLUSTER,
    instance: INSTANCE,
    sessionsMax: 4,
    inDoubtMax: 10,
  });
  expect(report.findings.filter((one) => one.severity === 'failure')).toEqual([]);
  expect(report).toMatchObject({
    slotsMax: SLOTS,
    serverVersion: expect.stringMatching(/^\d+\.\d+/) as string,
  });
}

/** A prepared branch, as recovery and operators are shown it. */
async function isSeen(resource: PostgresResource, branch: BranchKey): Promise<void> {
  const gid = formatGid(branch);
  const { entries, slotsUsed, slotsMax } = await resource.listPrepared(CLUSTER);
  expect(entries).toEqual([{ gid, ageMs: aNumber }]);
  expect([slotsUsed, slotsMax]).toEqual([1, SLOTS]);
  const lock = { relation: expect.stringMatching(/work"?$/) as string, mode: 'RowExclusiveLock' };
  const [impact] = await resource.lockImpact(CLUSTER);
  expect(impact).toMatchObject({ gid, heldMs: aNumber, xidAge: aNumber, waiting: 0 });
  expect(impact?.locks).toContainEqual(lock);

  const participant = 'host' as ParticipantName;
  const inspector = new Inspector(resource, { cluster: CLUSTER, participant });
  try {
    const seen = { gid, heldMs: aNumber };
    expect((await inspector.preparedPage({ limit: 10 })).branches).toMatchObject([seen]);
    expect(await inspector.fates([gid])).toEqual([{ gid, fate: 'prepared' }]);
    const blocking = await inspector.blocking([gid]);
    expect(blocking).toMatchObject({ sessions: 0, truncated: false });
    const [closer] = await inspector.impact({ gids: [gid], oldest: 1 }, blocking);
    expect(closer).toMatchObject({ ...seen, xidAge: aNumber, blockedSessions: 0 });
    expect(closer?.locks).toContainEqual(lock);
    expect(await inspector.committedPage({ limit: 10 })).toEqual({ rows: [] });
    const checkup = new Checkup(
      { resource, inspector, clock: new SystemClock() },
      { cluster: CLUSTER, instance: INSTANCE, sessionsMax: 4, inDoubtMax: 10 },
    );
    const checks = await checkup.run();
    const bad = checks.filter(({ result }) => result === 'bad' || result === 'unknown');
    expect(bad).toEqual([]);
    const found = (name: string) => checks.find((one) => one.name === name)?.found;
    expect(found('clock')).toMatch(/differ by [\d.]+ m?s/);
    expect(found('oldest-branch')).toMatch(/^the oldest branch has been prepared for [\d.]+ m?s$/);
  } finally {
    await inspector.close();
  }
}

async function prepares(resource: PostgresResource, branch: BranchKey): Promise<void> {
  const session = await begun(resource, branch);
  await write(session, branch.transaction);
  expect(await resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
}

const begun = (resource: PostgresResource, branch: BranchKey): Promise<PostgresSession> =>
  beginOn(resource, branch);

const write = (session: PostgresSession, mark: string): Promise<unknown> =>
  session.client.query('INSERT INTO public.work VALUES ($1)', [mark]);

const mine = (): string => 'mine';

describe('A branch lives as it should under a host with', () => {
  it('parsers of its own for the whole process, for every type', async () => {
    const restore = replaceParsers({ texts: true });
    try {
      await withHost(livesAWholeLife);
    } finally {
      restore();
    }
  });

  it.each<[string, Host]>([
    ['parsers of its own for its pool', { config: { types: { getTypeParser: () => mine } } }],
    [
      'parsers of its own for each connection',
      {
        onPool: (pool) =>
          pool.on('connect', (client) => {
            for (const oid of [16, 20, 21, 23, 25, 26, 114, 700, 701, 1009, 1700, 3802]) {
              for (const format of ['text', 'binary'] as const) {
                client.setTypeParser(oid, format as never, mine as never);
              }
            }
          }),
      },
    ],
    ['answers in binary', { config: { binary: true } }],
    ['pipelined statements', { config: { pipeline: true } }],
    ['a client of its own making', { config: { Client: class extends pg.Client {} } }],
  ])('%s', async (_what, host) => {
    await withHost(livesAWholeLife, host);
  });

  it('answers in binary for the whole process', async () => {
    const { binary } = pg.defaults;
    pg.defaults.binary = true;
    try {
      await withHost(livesAWholeLife);
    } finally {
      pg.defaults.binary = binary;
    }
  });

  it('a driver that does not report the state of a transaction, as before pg 8.21', async () => {
    const { prototype } = pg.Client as unknown as { prototype: Record<string, unknown> };
    const { getTransactionStatus } = prototype;
    delete prototype['getTransactionStatus'];
    try {
      await withHost(livesAWholeLife);
    } finally {
      if (getTransactionStatus) prototype['getTransactionStatus'] = getTransactionStatus;
    }
  });

  it('settings of its role that change how statements are read and answered', async () => {
    await withHost(livesAWholeLife, {
      setUp: async (owner, name) => {
        for (const [setting, value] of Object.entries(ROLE_SETTINGS)) {
          await owner.query(`ALTER ROLE ${name} SET ${setting} = '${value}'`);
        }
      },
    });
  });
});

describe('A host is refused at its start, by name and with the remedy, that has', () => {
  const refusedBy = async (resource: PostgresResource, check: string, message: RegExp) => {
    const { findings } = await examine(resource, {
      ...{ cluster: CLUSTER, instance: INSTANCE, sessionsMax: 4 },
    });
    const finding = findings.find((one) => one.check === check);
    expect(finding).toMatchObject({ severity: 'failure' });
    expect(`${finding?.message}; ${finding?.remedy}`).toMatch(message);
  };

  class Native extends pg.Client {
    readonly native = 'as in pg-native';
  }
  /** As of a driver that is not pg's: it sees nothing of what the server says between answers. */
  class Silent extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config);
      const { connection } = this as unknown as { connection: object };
      Object.defineProperty(connection, 'prependListener', { value: undefined });
      Object.defineProperty(this, 'getTransactionStatus', { value: undefined });
    }
  }
  const ofVersion = /\(pg \d+\.\d+\.\d+\)/.source;

  it.each<[string, Host, string, RegExp]>([
    [
      'the driver on libpq',
      { config: { Client: Native } },
      'driver',
      new RegExp(`pg-native ${ofVersion}.*remove the package pg-native.*TypeORM`),
    ],
    [
      'a driver that reports nothing of transactions',
      { config: { Client: Silent } },
      'driver',
      new RegExp(`${ofVersion} do not report the state of a transaction; .*pg 8\\.2\\.0 or newer`),
    ],
    [
      'functions of others before those of Postgres',
      {
        setUp: async (owner, name) => {
          await owner.query(`CREATE SCHEMA app AUTHORIZATION ${name}`);
          await owner.query(`ALTER ROLE ${name} SET search_path = app, pg_catalog`);
        },
      },
      'search-path',
      /puts app before pg_catalog.*take pg_catalog out of search_path/,
    ],
    [
      'transactions that only read',
      {
        setUp: async (owner, name) => {
          await owner.query(`ALTER ROLE ${name} SET default_transaction_read_only = on`);
        },
      },
      'read-only',
      /read-only.*default_transaction_read_only = off/,
    ],
  ])('%s', async (_what, host, check, message) => {
    await withHost((resource) => refusedBy(resource, check, message), { ...host, migrates: false });
  });

  it('row-level security on the outcome table, which would hide what has committed', async () => {
    await withHost(async (resource) => {
      const { secondPhasePool } = resource;
      await secondPhasePool.query('ALTER TABLE concordat_branch ENABLE ROW LEVEL SECURITY');
      await isFit(resource); // Its owner sees every row, and says so.
      await secondPhasePool.query('ALTER TABLE concordat_branch FORCE ROW LEVEL SECURITY');
      await refusedBy(resource, 'outcome-table', /row-level security hides.*DISABLE ROW LEVEL/);
    });
  });

  it('something else than a pool of pg', async () => {
    const start = (pool: unknown): Promise<unknown> =>
      createParticipant({
        ...{ name: 'host', natsUrl: 'nats://127.0.0.1:1', operations: [{ name: 'go', run: mine }] },
        database: { pool: pool as pg.Pool },
      }).start();
    await expect(start({ query: mine })).rejects.toThrow(
      /^database: this pool has no connect\(\), no on\(\).* no options: give a pool of pg/,
    );
    await expect(start(undefined)).rejects.toThrow(/give a pool of pg/);
  });
});

describe('Anything a host does with its pool', () => {
  const sessionsOf = async (name: string): Promise<{ state: string }[]> => {
    const { rows } = await dba.query<{ state: string }>(
      `SELECT state FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle'`,
      [name],
    );
    return rows;
  };

  it('a branch that could not begin keeps no connection of it', async () => {
    await withHost(async (resource, name) => {
      const { sessions } = resource;
      const odd = new PostgresResource({
        ...{ pool: sessions, clock: new SystemClock(), isolation: 'HARDLY ANY' as never },
      });
      try {
        for (let times = 0; times < 6; times++) {
          const refused = await odd.begin(freshBranch(), { timeLeftMs: 5_000 });
          expect(refused).toMatchObject({ kind: 'no' });
        }
      } finally {
        await odd.close();
      }
      expect([sessions.totalCount, sessions.waitingCount]).toEqual([0, 0]);
      await waitFor(async () => (await sessionsOf(name)).length === 0, {
        what: 'the server to end what was begun',
      });
    });
  });

  it('work that was forgotten on a connection never becomes a branch’s', async () => {
    await withHost(async (resource) => {
      const { sessions } = resource;
      const forgetful = await sessions.connect();
      await forgetful.query(`BEGIN; INSERT INTO public.work VALUES ('forgotten')`);
      forgetful.release();
      const branch = freshBranch();
      await prepares(resource, branch);
      expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
      const { rowCount } = await sessions.query('SELECT FROM public.work');
      expect(rowCount).toBe(1);
    });
  });

  it('a branch whose statement outlasts a time-out of the driver gives its locks back at once', async () => {
    const config = { query_timeout: 300 };
    await withHost(
      async (resource, name) => {
        const holder = await begun(resource, freshBranch());
        await write(holder, 'held');
        const session = await resource.begin(freshBranch(), { timeLeftMs: 60_000 });
        if (session.kind === 'no') throw new Error(session.vote.reason);
        await write(session.session, 'given back');
        await expect(write(session.session, 'held')).rejects.toThrow('Query read timeout');
        await resource.rollback(session.session);
        await waitFor(async () => (await sessionsOf(name)).length === 1, {
          what: 'the statement that waited to end, and its transaction with it',
        });
        await resource.rollback(holder);
      },
      { config },
    );
  });
});

it('Limits that a host sets for its own statements do not end ours', async () => {
  const limits = { query_timeout: 1, statement_timeout: 1, lock_timeout: 1 };
  const asked = async ({ secondPhasePool }: PostgresResource): Promise<void> => {
    const { rows } = await secondPhasePool.query<{ still: boolean }>(
      'SELECT pg_sleep(0.05), true AS still',
    );
    expect(rows).toMatchObject([{ still: true }]);
  };
  await withHost(asked, { config: limits });
  const address = new URL(server.url());
  for (const [name, value] of Object.entries(limits)) address.searchParams.set(name, `${value}`);
  await withHost(asked, { config: { connectionString: address.href } });
});

describeKeptStatements(withHost);

/** What no branch of ours may depend on. Every one of them can be set for a role. */
const ROLE_SETTINGS = {
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  client_encoding: 'LATIN1',
  client_min_messages: 'error',
  standard_conforming_strings: 'off',
  escape_string_warning: 'off',
  backslash_quote: 'off',
  quote_all_identifiers: 'on',
  extra_float_digits: '-15',
  bytea_output: 'escape',
  search_path: 'pg_catalog, public',
  array_nulls: 'off',
  transform_null_equals: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  row_security: 'off',
  plan_cache_mode: 'force_generic_plan',
};
