/**
 * The ledger's migrations, one instance at a time. Guards that a start never waits for a branch of its own
 * service: a branch that was left in doubt locks the accounts, and it would not be settled before the data
 * source is open. So it is settled first, and only where there is something to migrate: an ordinary start
 * needs no coordinator.
 */
import { Logger } from '@nestjs/common';
import { settleInDoubt } from '@concordat/participant';
import { MigrationExecutor, type DataSource } from 'typeorm';
import type { LedgerConfig } from '../ledger.config.js';
import {
  LOCK_MIGRATIONS,
  UNLOCK_MIGRATIONS,
  WAIT_AS_USUAL,
  WAIT_FOR_OTHERS,
  WAIT_FOR_TABLES,
} from './migrate.sql.js';

/** Another session holds a lock that a migration needs. */
export class MigrationBlocked extends Error {
  override readonly name = 'MigrationBlocked';
}

const LOCK_NOT_AVAILABLE = '55P03';

/** Brings the tables up to date. Idempotent; what fails leaves the session and its lock to be ended. */
export async function migrate(dataSource: DataSource, config: LedgerConfig): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query(WAIT_FOR_OTHERS);
    await runner.query(LOCK_MIGRATIONS);
    const executor = new MigrationExecutor(dataSource, runner);
    executor.transaction = 'each';
    const pending = await executor.getPendingMigrations();
    if (pending.length > 0) {
      await settle(config);
      await runner.query(WAIT_FOR_TABLES);
      await executor.executePendingMigrations();
    }
    await runner.query(UNLOCK_MIGRATIONS);
    await runner.query(WAIT_AS_USUAL);
  } catch (error) {
    throw explained(error);
  } finally {
    await runner.release().catch(() => undefined);
  }
}

async function settle(config: LedgerConfig): Promise<void> {
  const log = new Logger('Ledger');
  const { left } = await settleInDoubt(
    {
      name: config.PARTICIPANT_NAME,
      natsUrl: config.NATS_URL.split(','),
      cluster: config.CONCORDAT_CLUSTER,
      database: { url: config.DATABASE_URL },
      log,
    },
    { waitMs: config.CONCORDAT_START_WAIT_MS },
  );
  for (const { gid, why } of left) log.warn(`${gid} is still in doubt: ${why}`);
}

function explained(error: unknown): unknown {
  if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) return error;
  return new MigrationBlocked(
    'a migration of the ledger did not get a lock in time: a branch in doubt or a session at work holds the table, or another instance migrates\n' +
      'Remedy: start it again in a moment; `concordat settle` says why a branch is still in doubt, pg_locks who holds what.',
    { cause: error },
  );
}
