/**
 * Existing TypeORM repositories in a branch, where a service opts in. Guards "all work of a branch lands
 * in its own session" without a change of the code that works: the data source's own manager, and with it
 * every repository and active record of it, uses the query runner of the current branch.
 */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { outsideBranch } from '../branch/branch-scope.js';
import { findBranch } from '../branch/current-branch.js';
import { branchEntityManager } from './branch-entity-manager.js';
import { poolOf } from './data-source-pool.js';

/**
 * Lets the repositories and the manager of an initialised data source follow branches. Inside of a branch
 * they work there, and `transaction` is a savepoint; outside they work as before. What makes a query runner
 * of its own (`dataSource.query`, `dataSource.createQueryRunner`) is refused inside as ever. In a branch of
 * another database, and in one that has ended, they throw. Returns what ends it.
 */
export function followBranches(dataSource: DataSource): () => void {
  poolOf(dataSource); // Says what is missing.
  const manager = dataSource.manager as EntityManager & { queryRunner?: QueryRunner };
  Object.defineProperty(manager, 'queryRunner', {
    configurable: true,
    enumerable: true,
    get: () => {
      const branch = findBranch();
      return branch && branchEntityManager(branch, dataSource).queryRunner;
    },
  });
  const { getRepository, getTreeRepository } = manager;
  // A repository keeps the runner of the moment in which it is made, and is made once for all.
  const madeOutside = <Get extends (...args: never[]) => unknown>(get: Get): Get =>
    ((...args) => outsideBranch(() => get.apply(manager, args))) as Get;
  manager.getRepository = madeOutside(getRepository);
  manager.getTreeRepository = madeOutside(getTreeRepository);
  return () => {
    Object.assign(manager, { getRepository, getTreeRepository });
    Object.defineProperty(manager, 'queryRunner', {
      configurable: true,
      enumerable: true,
      writable: true,
      value: undefined,
    });
  };
}
