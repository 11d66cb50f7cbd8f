/**
 * The ledger's data source: entities, migrations, and a pool large enough for branches and for reading beside
 * them. A database that does not answer, at the start or during it, is waited for.
 */
import { Logger } from '@nestjs/common';
import { untilDatabaseAnswers } from '@concordat/participant';
import { DataSource } from 'typeorm';
import { Account } from './accounts/account.entity.js';
import type { LedgerConfig } from './ledger.config.js';
import { CreateAccount1760000000000 } from './migrations/1760000000000-create-account.js';
import { LimitBalance1764950000000 } from './migrations/1764950000000-limit-balance.js';
import { migrate } from './migrations/migrate.js';

/** Connections beside those of branches: reads over HTTP. */
const READERS = 4;

/** Opens the data source and brings its tables up to date. */
export function openDataSource(config: LedgerConfig): Promise<DataSource> {
  return untilDatabaseAnswers(() => openOnce(config), {
    name: config.PARTICIPANT_NAME,
    waitMs: config.CONCORDAT_START_WAIT_MS,
    log: new Logger('Ledger'),
  });
}

async function openOnce(config: LedgerConfig): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: config.DATABASE_URL,
    applicationName: config.PARTICIPANT_NAME,
    poolSize: config.CONCORDAT_SESSIONS_MAX + READERS,
    connectTimeoutMS: 10_000,
    ...inSchema(config.DATABASE_SCHEMA),
    entities: [Account],
    migrations: [CreateAccount1760000000000, LimitBalance1764950000000],
  });
  await dataSource.initialize();
  try {
    await migrate(dataSource, config);
    return dataSource;
  } catch (error) {
    // Its sessions hold the lock on migrations: kept open, they would hold up the next attempt.
    await dataSource.destroy().catch(() => undefined);
    throw error;
  }
}

/** Entities by name, and every other query, in the schema of this service. */
function inSchema(schema: string | undefined) {
  return schema === undefined ? {} : { schema, extra: { options: `-c search_path=${schema}` } };
}
