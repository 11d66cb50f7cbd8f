/**
 * Migrations: brings the decision database to this version's schema, one coordinator at a time.
 * TypeORM takes no lock of its own, so several coordinators that start at once would race; an
 * advisory lock on the migrating session holds the others back. Also makes the cluster id and the
 * secret of the admin view's sessions, once.
 */
import { isClusterId, type ClusterId } from '@concordat/protocol';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { DecisionLog1764720000000 } from './migrations/1764720000000-decision-log.js';
import { Operators1764900000000 } from './migrations/1764900000000-operators.js';
import { Reconciliation1765000000000 } from './migrations/1765000000000-reconciliation.js';
import { OneRegisterOneTime1765100000000 } from './migrations/1765100000000-one-register-one-time.js';
import { Participants1765200000000 } from './migrations/1765200000000-participants.js';
import { EndedSessions1765300000000 } from './migrations/1765300000000-ended-sessions.js';
import { Principals1765400000000 } from './migrations/1765400000000-principals.js';
import { KeyClaims1765500000000 } from './migrations/1765500000000-key-claims.js';
import { SmallJournal1765600000000 } from './migrations/1765600000000-small-journal.js';
import { OnePhase1765800000000 } from './migrations/1765800000000-one-phase.js';
import { DecisionDatabaseUnusable } from './refusals.js';
import { connectionConfig, type SessionOptions } from './session.js';
import {
  CREATE_SCHEMA,
  LIMIT_LOCK_WAIT,
  LIMIT_TABLE_WAIT,
  LOCK_MIGRATIONS,
  MAKE_CLUSTER_ID,
  MAKE_SESSION_SECRET,
  PREPARE_SESSION,
  READ_CLUSTER_ID,
  READ_SESSION_SECRET,
  UNLOCK_MIGRATIONS,
} from './session.sql.js';

/** In their order. */
export const MIGRATIONS = [
  DecisionLog1764720000000,
  Operators1764900000000,
  Reconciliation1765000000000,
  OneRegisterOneTime1765100000000,
  Participants1765200000000,
  EndedSessions1765300000000,
  Principals1765400000000,
  KeyClaims1765500000000,
  SmallJournal1765600000000,
  OnePhase1765800000000,
];

/** Between two attempts what waits behind a migration goes on. */
const TRY_AGAIN_MS = 1_000;
const TRIES_MAX = 30;
const LOCK_NOT_AVAILABLE = '55P03';

/** What the migrations of this version are called, in their order. */
export const MIGRATION_NAMES = MIGRATIONS.map((one) => one.name);

/** What a decision database is asked for once, at the start. */
export interface Installation {
  readonly cluster: ClusterId;
  /** Seals sessions of the admin view, at every coordinator of the cluster. */
  readonly sessionSecret: Uint8Array;
}

/** Resolves with what the database holds; of a new one, with the candidates. */
export async function migrate(
  options: SessionOptions,
  candidate: Installation,
): Promise<Installation> {
  const source = new DataSource({
    type: 'postgres',
    url: options.url,
    schema: 'concordat',
    migrations: MIGRATIONS,
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    installExtensions: false,
    logging: false,
    poolSize: 1,
    // pg reads the URL itself, so that every form it knows (sockets, TLS) works here too. A migration may
    // take its time: only connecting has a bound.
    extra: {
      ...connectionConfig(options, 'migrations'),
      query_timeout: 0,
      // Between two of TypeORM's runners a lost connection has no listener.
      onConnect: (client: pg.ClientBase) => void client.on('error', () => undefined),
    },
  });
  // Cut off anywhere: the session's lock goes with it, and a migration is applied whole or not at all.
  await source.initialize();
  const runner = source.createQueryRunner();
  try {
    await runner.query(PREPARE_SESSION);
    await lock(runner);
    await bringUpToDate(source, runner);
    await runner.query(MAKE_CLUSTER_ID, [candidate.cluster]);
    await runner.query(MAKE_SESSION_SECRET, [Buffer.from(candidate.sessionSecret)]);
    const cluster = await readClusterId(runner);
    return { cluster, sessionSecret: await readSessionSecret(runner) };
  } catch (error) {
    throw withRemedy(error);
  } finally {
    // Ending the session would free the lock as well; this frees it before the others time out.
    await runner.query(UNLOCK_MIGRATIONS).catch(() => undefined);
    await runner.release().catch(() => undefined);
    await source.destroy().catch(() => undefined);
  }
}

async function lock(runner: QueryRunner): Promise<void> {
  await runner.query(LIMIT_LOCK_WAIT);
  await runner.query(LOCK_MIGRATIONS);
}

async function bringUpToDate(source: DataSource, runner: QueryRunner): Promise<void> {
  await runner.query(CREATE_SCHEMA);
  const executor = new MigrationExecutor(source, runner);
  executor.transaction = 'each';
  const known = new Set(MIGRATIONS.map((one) => one.name));
  const newer = (await executor.getExecutedMigrations()).filter((one) => !known.has(one.name));
  if (newer.length > 0) {
    throw new DecisionDatabaseUnusable(
      'newer-schema',
      `the decision database was migrated by a newer version (${newer.map((one) => one.name).join(', ')}): ` +
        'start that version or a later one',
    );
  }
  await runner.query(LIMIT_TABLE_WAIT);
  await untilTablesAreFree(() => executor.executePendingMigrations());
}

/**
 * Coordinators of the version before decide while a migration waits for a table, and every statement waits
 * behind the one that waits: so it gives up after a second, lets them through and tries again. What was
 * applied stays applied; the one that gave up is undone.
 */
async function untilTablesAreFree(apply: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await apply();
      return;
    } catch (error) {
      if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      if (tries === TRIES_MAX) throw tablesHeld(error);
      await pause(TRY_AGAIN_MS);
    }
  }
}

function tablesHeld(cause: unknown): DecisionDatabaseUnusable {
  return new DecisionDatabaseUnusable(
    'migration-locked',
    `a migration could not lock its tables in ${TRIES_MAX} attempts: find who holds one of schema concordat in ` +
      'pg_locks (a backup, or an open transaction), let it end, and start again',
    { cause },
  );
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

async function readClusterId(runner: QueryRunner): Promise<ClusterId> {
  const rows = (await runner.query(READ_CLUSTER_ID)) as { cluster_id: string }[];
  const id = rows[0]?.cluster_id ?? '';
  if (!isClusterId(id)) throw new Error(`concordat.cluster holds "${id}", which is no cluster id`);
  return id;
}

async function readSessionSecret(runner: QueryRunner): Promise<Uint8Array> {
  const rows = (await runner.query(READ_SESSION_SECRET)) as { secret: Uint8Array }[];
  const [row] = rows;
  if (!row) throw new Error('concordat.session_secret is empty: start the coordinator again');
  return row.secret;
}

function withRemedy(error: unknown): unknown {
  const code = codeOf(error);
  if (code === LOCK_NOT_AVAILABLE) {
    return new DecisionDatabaseUnusable(
      'migration-locked',
      'another coordinator has held the migration lock for a minute: wait for it, or look in ' +
        "pg_stat_activity for application_name 'concordat migrations' and end it",
      { cause: error },
    );
  }
  if (code === '42501') {
    return new DecisionDatabaseUnusable(
      'missing-privilege',
      `the decision database's role may not migrate: GRANT CREATE ON DATABASE … TO it, or make it ` +
        `the owner of schema concordat (${(error as Error).message})`,
      { cause: error },
    );
  }
  return error;
}
