/** The inventory's pool, with its table made: large enough for branches and for reading beside them. */
import { Logger } from '@nestjs/common';
import { untilDatabaseAnswers } from '@concordat/participant';
import pg from 'pg';
import type { InventoryConfig } from './inventory.config.js';
import { BEGIN, COMMIT, CREATE_STOCK, LOCK_MIGRATIONS } from './stock/stock.sql.js';

/** Injection token of the pool. */
export const POOL = Symbol('inventory pool');

/** Connections beside those of branches: reads over HTTP. */
const READERS = 4;

/**
 * Opens the pool and makes the table where it is missing. A database that is away, from the start or in
 * the middle of it, is waited for. A statement that changes a table of branches, such as ALTER TABLE,
 * would need what the ledger's migrations do: settling first, and a lock_timeout.
 */
export function openPool(config: InventoryConfig): Promise<pg.Pool> {
  const log = new Logger('Inventory');
  return untilDatabaseAnswers(() => openOnce(config, log), {
    name: config.PARTICIPANT_NAME,
    waitMs: config.CONCORDAT_START_WAIT_MS,
    log,
  });
}

async function openOnce(config: InventoryConfig, log: Logger): Promise<pg.Pool> {
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    application_name: config.PARTICIPANT_NAME,
    max: config.CONCORDAT_SESSIONS_MAX + READERS,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...inSchema(config.DATABASE_SCHEMA),
  });
  // Without a listener, an idle connection that dies would end the process.
  pool.on('error', (error) => log.warn(`an idle connection was lost: ${error.message}`));
  try {
    await makeTables(pool);
    return pool;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function makeTables(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  const ignore = (): void => undefined; // The statement under way is rejected with the same error.
  client.on('error', ignore);
  try {
    await client.query(BEGIN);
    await client.query(LOCK_MIGRATIONS);
    await client.query(CREATE_STOCK);
    await client.query(COMMIT);
    client.removeListener('error', ignore);
    client.release();
  } catch (error) {
    client.removeListener('error', ignore);
    client.release(true);
    throw error;
  }
}

/** Every query without a schema goes to this one. */
function inSchema(schema: string | undefined) {
  return schema === undefined ? {} : { options: `-c search_path=${schema}` };
}
