/** Drizzle in a branch: a database whose pool is the branch that is current where a query is made. */
import { branchPool, type BranchPoolOptions } from '@concordat/participant/standalone';
import type { DrizzleConfig } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';

/**
 * A Drizzle database of the current branch; `config` is what `drizzle()` takes. `db.transaction` is a
 * savepoint inside of a branch. Outside of one it throws `NoBranch`, or uses `options.outside`, as a rule
 * the pool that the participant was given.
 */
export function branchDrizzle<Schema extends Record<string, unknown> = Record<string, never>>(
  config: DrizzleConfig<Schema> = {},
  options: BranchPoolOptions = {},
): NodePgDatabase<Schema> & { $client: Pool } {
  return drizzle({ ...config, client: branchPool(options) });
}
