/**
 * The stage for tests of the decision log: a Postgres of its own, a fresh database on request,
 * logs that are closed at the end, and a wall clock that a test may set.
 */
import { jest } from '@jest/globals';
import {
  openDecisionLog,
  type DecisionLog,
  type DecisionLogOptions,
} from '@concordat/decision-log';
import { Clock } from '@concordat/engine';
import { lowestTransactionIdAt, type Incarnation } from '@concordat/protocol';
import { startPostgres, type PostgresOptions, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { dumpSchema } from '../../libs/decision-log/src/schema/schema-dump.sql.js';
import type { RegisterHarness } from './decision-register.js';

// Real servers are started, crashed and restarted here, on machines that are busy with other things.
jest.setTimeout(60_000);

/** Real timers and a real monotonic counter; wall time as set, or as it is. */
export class SettableClock extends Clock {
  wallMs?: number;
  /** Added to what the machine says of how much time has passed. */
  passedMs = 0;

  override now(): number {
    return performance.now() + this.passedMs;
  }

  override wallNow(): number {
    return this.wallMs ?? Date.now();
  }

  override after(ms: number, task: () => void): () => void {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  }
}

const EMPTIED_WITHIN_MS = 10_000;
const SESSIONS = `SELECT format('pid %s, %s, %s', pid, state, left(query, 80)) AS session
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;

/** As TypeORM makes it, and with what was applied: a log that opens finds nothing pending. */
const MIGRATION_TABLE = `CREATE TABLE concordat.migration (
  id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL)`;
const MIGRATION_ROWS = `
  SELECT format('INSERT INTO concordat.migration (timestamp, name) VALUES (%s, %L)', m.timestamp, m.name) AS ddl
    FROM concordat.migration m ORDER BY m.id`;

const OWNER = 'coordinator';
const LIVING = 'c00rdlv1' as Incarnation;

export class DecisionLogStage {
  private readonly logs = new Set<DecisionLog>();
  private readonly clients = new Set<pg.Client>();
  private databases = 0;
  private emptyings = 0;
  /** The text of the schema, once the migrations have made it here. */
  private schema?: string;

  private constructor(readonly server: PostgresServer) {}

  static async open(options: PostgresOptions = {}): Promise<DecisionLogStage> {
    return new DecisionLogStage(await startPostgres(options));
  }

  /** The address of an unused database. */
  async database(): Promise<string> {
    this.databases += 1;
    return this.server.createDatabase(`decisions_${this.databases}`, OWNER);
  }

  /**
   * The address of the stage's one reusable database, emptied; its earlier users are closed, a DBA's
   * first: a test that failed may have left it holding a lock that a log waits for. Much quicker than a new
   * database, for tests that follow one another: from the third on its tables are there, as the migrations made
   * them for the second.
   */
  async emptied(): Promise<string> {
    await this.endClients();
    for (const log of [...this.logs]) await this.shut(log);
    const url = await this.server.createDatabase('reused', OWNER);
    const cleaner = await this.dba(url);
    await cleaner.query(`SET lock_timeout = ${EMPTIED_WITHIN_MS}`);
    try {
      await cleaner.query('DROP SCHEMA IF EXISTS concordat CASCADE');
    } catch (error) {
      const { rows } = await cleaner.query<{ session: string }>(SESSIONS);
      const held = rows.map((one) => one.session).join('; ');
      const what = `the tables of the test before could not be dropped within ${EMPTIED_WITHIN_MS} ms`;
      throw new Error(`${what}; other sessions: ${held || 'none'}`, { cause: error });
    }
    this.emptyings += 1;
    if (this.schema !== undefined) {
      await cleaner.query(`SET ROLE ${OWNER}; ${this.schema}; RESET ROLE`);
    } else if (this.emptyings > 1) {
      await this.shut(await this.log(url));
      const { rows } = await cleaner.query<{ ddl: string }>(MIGRATION_ROWS);
      const applied = rows.map((one) => one.ddl);
      this.schema = [await dumpSchema(cleaner), MIGRATION_TABLE, ...applied].join(';\n');
    }
    return url;
  }

  async log(url: string, options: Partial<DecisionLogOptions> = {}): Promise<DecisionLog> {
    const log = await openDecisionLog({ url, clock: new SettableClock(), ...options });
    this.logs.add(log);
    return log;
  }

  /** A superuser's connection to a database: what a DBA can do without the product. */
  async dba(url: string): Promise<pg.Client> {
    const database = decodeURIComponent(new URL(url).pathname.slice(1));
    const client = new pg.Client({ connectionString: this.server.url(database) });
    client.on('error', () => undefined);
    await client.connect();
    this.clients.add(client);
    return client;
  }

  /** Two coordinators on one fresh decision database, with a horizon that hides nothing. */
  async harness(): Promise<RegisterHarness> {
    const url = await this.emptied();
    const [one, two] = await Promise.all([
      this.log(url, { horizonMs: 0 }),
      this.log(url, { horizonMs: 0 }),
    ]);
    return {
      register: one.register,
      other: two.register,
      forget: async (unixMs) => {
        // What was made from then on may be live somewhere.
        const oldestLive = lowestTransactionIdAt(unixMs);
        await one.register.heartbeat({ incarnation: LIVING, oldestLive });
        await one.register.prune(0);
      },
      close: async () => {
        for (const log of [one, two]) await this.shut(log);
      },
    };
  }

  /** Closes a log before the end. */
  async shut(log: DecisionLog): Promise<void> {
    this.logs.delete(log);
    await log.close();
  }

  async close(): Promise<void> {
    for (const log of [...this.logs]) await this.shut(log);
    await this.endClients();
    await this.server.dispose();
  }

  private async endClients(): Promise<void> {
    for (const client of this.clients) await client.end();
    this.clients.clear();
  }
}
