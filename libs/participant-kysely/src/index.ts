/** Kysely in a branch: a dialect whose pool is the branch that is current where a query is made. */
import { branchPool, type BranchPoolOptions } from '@concordat/participant/standalone';
import { PostgresDialect, type PostgresDialectConfig } from 'kysely';

/** What a branch pool is given, and Kysely's own options besides the pool. */
export type BranchDialectOptions = BranchPoolOptions & Omit<PostgresDialectConfig, 'pool'>;

/**
 * A dialect for `new Kysely({ dialect })`. `db.transaction()` is a savepoint inside of a branch. Outside
 * of one it throws `NoBranch`, or uses `options.outside`, as a rule the pool that the participant was given.
 */
export function branchDialect(options: BranchDialectOptions = {}): PostgresDialect {
  const { outside, participant, types, Pool, ...own } = options;
  return new PostgresDialect({ ...own, pool: branchPool({ outside, participant, types, Pool }) });
}
