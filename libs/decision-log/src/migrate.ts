/**
 * Migrations: brings the decision database to this version's schema, one coordinator at a time, and makes the
 * cluster id and the secret of the admin view's sessions, once. An ordinary start finds everything on record,
 * and needs the driver alone: TypeORM, a fifth of what a start loads, is loaded where something is pending.
 */
import pg from 'pg';
import {
  installationOf,
  refuseNewer,
  underMigrationLock,
  type Ask,
  type Installation,
} from './migration-session.js';
import { MIGRATION_NAMES } from './migrations.js';
import { connectionConfig, type SessionOptions } from './session.js';
import { HAS_MIGRATIONS, LIST_MIGRATIONS } from './session.sql.js';

export type { Installation } from './migration-session.js';

/** Resolves with what the database holds; of a new one, with the candidates. */
export async function migrate(
  options: SessionOptions,
  candidate: Installation,
): Promise<Installation> {
  const installed = await ifUpToDate(options, candidate);
  if (installed) return installed;
  // Its own session takes the lock again and looks again: another coordinator may have applied it meanwhile.
  const { applyMigrations } = await import('./apply-migrations.js');
  return applyMigrations(options, candidate);
}

/** What the database holds, or undefined where a migration is pending; nothing is applied. */
async function ifUpToDate(
  options: SessionOptions,
  candidate: Installation,
): Promise<Installation | undefined> {
  // As patient as the session that applies: it may wait for the lock of another coordinator.
  const client = new pg.Client({ ...connectionConfig(options, 'migrations'), query_timeout: 0 });
  client.on('error', () => undefined);
  const ask: Ask = async (statement, values) => (await client.query(statement, values)).rows;
  try {
    await client.connect();
    return await underMigrationLock(ask, async () => {
      const onRecord = await migrationsOnRecord(ask);
      refuseNewer(onRecord);
      if (!MIGRATION_NAMES.every((one) => onRecord.includes(one))) return undefined;
      return installationOf(ask, candidate);
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The latest first; none where no migration has ever been applied. */
async function migrationsOnRecord(ask: Ask): Promise<readonly string[]> {
  const [found] = (await ask(HAS_MIGRATIONS)) as { there: boolean }[];
  if (!found?.there) return [];
  const rows = (await ask(LIST_MIGRATIONS)) as { name: string }[];
  return rows.map((one) => one.name);
}
