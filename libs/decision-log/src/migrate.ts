/**
 * Migrations: brings the decision database to this version's schema, one coordinator at a time.
 * TypeORM takes no lock of its own, so several coordinators that start at once would race; an
 * advisory lock on the migrating session holds the others back. Also makes the cluster id, once.
 */
import { isClusterId, type ClusterId } from '@concordat/protocol';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { DecisionLog1764720000000 } from './migrations/1764720000000-decision-log.js';
import { DecisionDatabaseUnusable } from './refusals.js';
import type { SessionOptions } from './session.js';
import {
  CREATE_SCHEMA,
  LIMIT_LOCK_WAIT,
  LOCK_MIGRATIONS,
  MAKE_CLUSTER_ID,
  PREPARE_SESSION,
  READ_CLUSTER_ID,
  UNLOCK_MIGRATIONS,
} from './session.sql.js';

const MIGRATIONS = [DecisionLog1764720000000];

/** Resolves with the cluster id: `candidate` when this is a new database, else what it holds. */
export async function migrate(options: SessionOptions, candidate: ClusterId): Promise<ClusterId> {
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
    // pg reads the URL itself, so that every form it knows (sockets, TLS) works here too.
    extra: { connectionString: options.url, application_name: 'concordat migrations' },
  });
  await source.initialize();
  const runner = source.createQueryRunner();
  try {
    await runner.query(PREPARE_SESSION);
    await lock(runner);
    await bringUpToDate(source, runner);
    await runner.query(MAKE_CLUSTER_ID, [candidate]);
    return await readClusterId(runner);
  } catch (error) {
    throw withRemedy(error);
  } finally {
    // Ending the session would free the lock as well; this frees it before the others time out.
    await runner.query(UNLOCK_MIGRATIONS).catch(() => undefined);
    await runner.release();
    await source.destroy();
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
  await executor.executePendingMigrations();
}

async function readClusterId(runner: QueryRunner): Promise<ClusterId> {
  const rows = (await runner.query(READ_CLUSTER_ID)) as { cluster_id: string }[];
  const id = rows[0]?.cluster_id ?? '';
  if (!isClusterId(id)) throw new Error(`concordat.cluster holds "${id}", which is no cluster id`);
  return id;
}

function withRemedy(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (code === '55P03') {
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
