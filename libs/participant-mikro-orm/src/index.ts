/** MikroORM 6 in a branch: a driver whose connections are those of the branch, and a manager per branch. */
import {
  branchPool,
  currentBranch,
  type BranchPoolOptions,
} from '@concordat/participant/standalone';
import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { PostgreSqlKnexDialect } from '@mikro-orm/knex';
import type { CustomTypesConfig, Pool, PoolClient } from 'pg';

/** The parts of Knex' client, of MikroORM's own copy, that are used or replaced. */
interface Lender {
  readonly config: { readonly connection?: { readonly types?: CustomTypesConfig } };
  acquireConnection(): Promise<unknown>;
  releaseConnection(connection: unknown): Promise<void>;
}

/**
 * The option `driverOptions` of `MikroORM.init`. Give it `connect: false` too: outside of a branch there is
 * no connection, unless `options.outside` names the pool for it.
 */
export function branchDriver(options: BranchPoolOptions = {}): { client: unknown } {
  const Base = PostgreSqlKnexDialect as unknown as new (...args: never[]) => Lender;
  let lent = 0;
  class BranchDialect extends Base {
    private pool?: Pool;

    override async acquireConnection(): Promise<unknown> {
      // MikroORM reads dates by parsers of its own, which it sets at the connection.
      const types = options.types ?? this.config.connection?.types;
      this.pool ??= branchPool({ ...options, types });
      const connection = await this.pool.connect();
      lent += 1;
      return Object.assign(connection, { __knexUid: `branch_${lent}` });
    }

    override async releaseConnection(connection: unknown): Promise<void> {
      (connection as PoolClient).release();
    }
  }
  return { client: BranchDialect };
}

const managers = new WeakMap<object, Map<object, EntityManager>>();

/**
 * An entity manager that can be kept: each use goes to the manager of the current branch, with an identity
 * map of its own. Throws `NoBranch` outside of a branch; use `orm.em.fork()` there.
 */
export function branchEntityManager<Manager extends EntityManager>(
  orm: Pick<MikroORM, never> & { readonly em: Manager },
): Manager {
  return new Proxy(orm.em, {
    get(outside, member) {
      if (!(member in outside) || member in Object.prototype) return Reflect.get(outside, member);
      const manager = managerOf(orm.em);
      const value: unknown = Reflect.get(manager, member, manager);
      return typeof value === 'function'
        ? (value as (...args: unknown[]) => unknown).bind(manager)
        : value;
    },
  });
}

function managerOf(em: EntityManager): EntityManager {
  const { session } = currentBranch();
  let ofBranch = managers.get(session);
  if (!ofBranch) managers.set(session, (ofBranch = new Map()));
  let manager = ofBranch.get(em);
  if (!manager) ofBranch.set(em, (manager = em.fork({ clear: true, useContext: false })));
  return manager;
}
