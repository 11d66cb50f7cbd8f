/**
 * A real Postgres behind the resource suite: a database of its own per harness, two resources as two
 * instances of a service would have them, and a DBA's connection.
 */
import pg from 'pg';
import {
  PostgresResource,
  SystemClock,
  type PostgresResourceOptions,
  type PostgresSession,
} from '@concordat/participant';
import { formatGid } from '@concordat/protocol';
import type { BranchKey } from '@concordat/engine';
import { startPostgres, type PostgresServer } from '@concordat/testing';
import type { ResourceHarness } from './resource.js';

export interface PostgresHarness extends ResourceHarness<PostgresSession> {
  readonly resource: PostgresResource;
  readonly other: PostgresResource;
  /** Connections of a superuser in the harness's database. */
  readonly dba: pg.Pool;
  readonly url: string;
  readonly database: string;
  /** Another service's resource: its own pool, to this or another database or role. */
  open(
    url?: string,
    options?: pg.PoolConfig,
    more?: Partial<PostgresResourceOptions>,
  ): PostgresResource;
}

let databases = 0;

/** Makes a database with the tables the suite works on. */
export async function postgresHarness(server: PostgresServer): Promise<PostgresHarness> {
  databases += 1;
  const name = `resource_${process.pid}_${databases}`;
  await withClient(server.url(), (client) => client.query(`CREATE DATABASE ${name}`));
  const url = server.url(name);
  const closers: (() => Promise<void>)[] = [];

  const dba = new pg.Pool({ connectionString: url, max: 4 });
  dba.on('error', () => undefined);
  closers.push(() => dba.end());
  await dba.query('CREATE TABLE work (mark text NOT NULL)');
  await dba.query('CREATE TABLE once (mark text CONSTRAINT once_mark PRIMARY KEY)');
  await dba.query(`INSERT INTO once VALUES ('taken')`);

  const open: PostgresHarness['open'] = (to = url, options = {}, more = {}) => {
    const pool = new pg.Pool({ connectionString: to, max: 6, ...options });
    pool.on('error', () => undefined);
    const resource = new PostgresResource({ pool, clock: new SystemClock(), ...more });
    closers.unshift(async () => {
      await resource.close();
      if (!pool.ending) await pool.end();
    });
    return resource;
  };
  const resource = open();
  await resource.migrate();

  return {
    resource,
    other: open(),
    dba,
    url,
    database: name,
    open,
    write: async (session, mark) => {
      await session.client.query('INSERT INTO work VALUES ($1)', [mark]);
    },
    read: async (session) => {
      await session.client.query('SELECT count(*) FROM work');
    },
    failQuietly: async (session) => {
      await session.client.query(`INSERT INTO once VALUES ('taken')`).catch(() => undefined);
    },
    sees: async (mark) => {
      const { rowCount } = await dba.query('SELECT 1 FROM work WHERE mark = $1', [mark]);
      return rowCount === 1;
    },
    commitByHand: (branch) => finish(dba, 'COMMIT', branch),
    rollbackByHand: (branch) => finish(dba, 'ROLLBACK', branch),
    close: async () => {
      for (const close of closers) await close();
      await withClient(server.url(), async (client) => {
        const { rows } = await client.query<{ gid: string }>(
          'SELECT gid FROM pg_prepared_xacts WHERE database = $1',
          [name],
        );
        if (rows.length === 0) await client.query(`DROP DATABASE ${name}`);
      });
    },
  };
}

/** While a test holds this lock, an outcome row waits behind its insert, in the flight that ends its branch. */
export const OUTCOMES_LOCK = 4_712;

/** A harness on a server of its own, whose outcome rows wait for {@link OUTCOMES_LOCK}. End them with `close`. */
export async function postgresWithHeldOutcomes(): Promise<{
  readonly h: PostgresHarness;
  readonly close: () => Promise<void>;
}> {
  const server = await startPostgres({ settings: { max_prepared_transactions: 12 } });
  const h = await postgresHarness(server);
  await h.dba.query(`
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${OUTCOMES_LOCK}); RETURN NULL; END $$;
    CREATE TRIGGER hold AFTER INSERT ON concordat_branch FOR EACH ROW EXECUTE FUNCTION hold()`);
  const close = async (): Promise<void> => {
    await h.close();
    await server.dispose();
  };
  return { h, close };
}

export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Waits until a query of the DBA's answers a row. */
export async function until(pool: pg.Pool, query: string, values: unknown[] = []): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    const { rowCount } = await pool.query(query, values);
    if (rowCount !== 0) return;
    if (Date.now() > end) throw new Error(`never came true: ${query}`);
    await pool.query('SELECT pg_sleep(0.01)');
  }
}

async function finish(dba: pg.Pool, verb: 'COMMIT' | 'ROLLBACK', branch: BranchKey): Promise<void> {
  await dba.query(`${verb} PREPARED '${formatGid(branch)}'`);
}
