/** The inventory's pool, with its table made: room for branches and for reading beside them. */
import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { InventoryConfig } from './inventory.config.js';
import { BEGIN, COMMIT, CREATE_STOCK, LOCK_MIGRATIONS } from './stock/stock.sql.js';

/** Injection token of the pool. */
export const POOL = Symbol('inventory pool');

/** Connections beside those of branches: reads over HTTP. */
const READERS = 4;

export async function openPool(config: InventoryConfig): Promise<pg.Pool> {
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    application_name: config.PARTICIPANT_NAME,
    max: config.CONCORDAT_SESSIONS_MAX + READERS,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    ...inSchema(config.DATABASE_SCHEMA),
  });
  // Without a listener, an idle connection that dies would end the process.
  const log = new Logger('Inventory');
  pool.on('error', (error) => log.warn(`an idle connection was lost: ${error.message}`));
  const client = await pool.connect();
  try {
    await client.query(BEGIN);
    await client.query(LOCK_MIGRATIONS);
    await client.query(CREATE_STOCK);
    await client.query(COMMIT);
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
  return pool;
}

/** Whatever is asked without a schema is asked of this one. */
function inSchema(schema: string | undefined) {
  return schema === undefined ? {} : { options: `-c search_path=${schema}` };
}
