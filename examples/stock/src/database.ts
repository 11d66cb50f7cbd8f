/** One pool, and two views of it: `db` works in the current branch, and elsewhere beside transactions. */
import { fileURLToPath } from 'node:url';
import { branchDrizzle } from '@concordat/participant-drizzle';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import * as schema from './schema.js';

export const POOL = Symbol('pool');
export const DATABASE = Symbol('database');

export function openPool(url: string): pg.Pool {
  return new pg.Pool({ connectionString: url, max: 20 });
}

/** Brings the tables up to date, and returns the database that operations and controllers use. */
export async function openDatabase(pool: pg.Pool) {
  const migrationsFolder = fileURLToPath(new URL('../drizzle', import.meta.url));
  await migrate(drizzle(pool), { migrationsFolder });
  return branchDrizzle({ schema }, { outside: pool });
}

export type Database = Awaited<ReturnType<typeof openDatabase>>;
