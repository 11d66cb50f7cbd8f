/**
 * The ledger's data source: entities, migrations under a lock, and a pool with room for branches and
 * for reading beside them.
 */
import { DataSource } from 'typeorm';
import { Account } from './accounts/account.entity.js';
import type { LedgerConfig } from './ledger.config.js';
import { CreateAccount1760000000000 } from './migrations/1760000000000-create-account.js';
import { LOCK_MIGRATIONS, UNLOCK_MIGRATIONS } from './migrations/migrate.sql.js';

/** Connections beside those of branches: reads over HTTP. */
const READERS = 4;

/** Opens the data source and brings its tables up to date. */
export async function openDataSource(config: LedgerConfig): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: config.DATABASE_URL,
    applicationName: config.PARTICIPANT_NAME,
    poolSize: config.CONCORDAT_SESSIONS_MAX + READERS,
    connectTimeoutMS: 10_000,
    ...inSchema(config.DATABASE_SCHEMA),
    entities: [Account],
    migrations: [CreateAccount1760000000000],
  });
  await dataSource.initialize();
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query(LOCK_MIGRATIONS);
    await dataSource.runMigrations();
    await runner.query(UNLOCK_MIGRATIONS);
  } finally {
    await runner.release();
  }
  return dataSource;
}

/** Entities by name, and whatever else is asked, in the schema of this service. */
function inSchema(schema: string | undefined) {
  return schema === undefined ? {} : { schema, extra: { options: `-c search_path=${schema}` } };
}
