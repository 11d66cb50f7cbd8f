/**
 * Applies what is pending, with TypeORM, which is loaded for nothing else. Guards "applied whole or not at
 * all": each migration is a transaction of its own, on the session that holds the lock. Crash window: cut off
 * anywhere, the session's lock goes with it, and what was applied stays applied.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { DataSource, MigrationExecutor } from 'typeorm';
import {
  codeOf,
  installationOf,
  LOCK_NOT_AVAILABLE,
  refuseNewer,
  underMigrationLock,
  type Ask,
  type Installation,
} from './migration-session.js';
import { MIGRATIONS } from './migrations.js';
import { DecisionDatabaseUnusable } from './refusals.js';
import { connectionConfig, type SessionOptions } from './session.js';
import { LIMIT_TABLE_WAIT } from './session.sql.js';

/** Between two attempts what waits behind a migration goes on. */
const TRY_AGAIN_MS = 1_000;
const TRIES_MAX = 30;

/** Resolves with what the database holds once everything is applied, by this call or by another meanwhile. */
export async function applyMigrations(
  options: SessionOptions,
  candidate: Installation,
): Promise<Installation> {
  const source = sourceOf(options);
  await source.initialize();
  const runner = source.createQueryRunner();
  const ask: Ask = (statement, values) => runner.query(statement, values);
  try {
    return await underMigrationLock(ask, async () => {
      const executor = new MigrationExecutor(source, runner);
      executor.transaction = 'each';
      refuseNewer((await executor.getExecutedMigrations()).map((one) => one.name));
      await ask(LIMIT_TABLE_WAIT);
      await untilTablesAreFree(() => executor.executePendingMigrations());
      return installationOf(ask, candidate);
    });
  } finally {
    await runner.release().catch(() => undefined);
    await source.destroy().catch(() => undefined);
  }
}

function sourceOf(options: SessionOptions): DataSource {
  return new DataSource({
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
