/** Knex in a branch: a client whose connections are those of the branch that is current. */
import { branchPool, type BranchPoolOptions } from '@concordat/participant/standalone';
import knexOf, { type Knex } from 'knex';
import type { PoolClient } from 'pg';

/** Knex' own options, without what says where to connect. */
export type BranchKnexConfig = Omit<Knex.Config, 'client' | 'connection' | 'pool'>;

/** The parts of Knex' client that lend connections. */
interface Lender {
  acquireConnection(): Promise<unknown>;
  releaseConnection(connection: unknown): Promise<void>;
}

/** A class of Knex' clients, with any constructor. */
type LenderClass = new (...args: never[]) => Lender;

/**
 * A Knex instance of the current branch. `knex.transaction` is a savepoint inside of a branch. Outside of
 * one it throws `NoBranch`, or uses `options.outside`, as a rule the pool that the participant was given.
 * `.timeout(ms, { cancel: true })` is not supported: the branch has a time-out of its own.
 */
export function branchKnex(config: BranchKnexConfig = {}, options: BranchPoolOptions = {}): Knex {
  // The class of Postgres clients is not exported. This instance connects to nothing.
  const { constructor: Postgres } = knexOf({ client: 'pg' }).client as { constructor: LenderClass };
  return knexOf({ ...config, client: branchKnexClient(Postgres, options) as typeof Knex.Client });
}

/** `Base`, a class of Knex' Postgres clients, with connections of the current branch. */
export function branchKnexClient<Base extends LenderClass>(
  Base: Base,
  options: BranchPoolOptions = {},
): Base {
  const pool = branchPool(options);
  let lent = 0;
  class BranchClient extends (Base as LenderClass) {
    override async acquireConnection(): Promise<unknown> {
      const connection = await pool.connect();
      lent += 1;
      return Object.assign(connection, { __knexUid: `branch_${lent}` });
    }

    override async releaseConnection(connection: unknown): Promise<void> {
      (connection as PoolClient).release();
    }
  }
  return BranchClient as Base;
}
