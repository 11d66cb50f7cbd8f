/**
 * TypeORM on a branch: a query runner that speaks through the branch's own gated client, so that
 * entities and raw queries share one session. Guards three field facts: TypeORM hides the command tag,
 * so it never sees BEGIN or PREPARE; what is used after the branch's end must reject, never
 * autocommit; and entities of another database must not be written into this one. TypeORM is only a
 * type here: services without it need not load it.
 */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { refuse, openScope } from '../branch/branch-scope.js';
import type { Branch } from '../branch/current-branch.js';
import { BranchMisuse, type PostgresSession } from '../postgres/branch-session.js';
import { describeLogin, sameTarget } from '../postgres/pool-target.js';
import { poolOf } from './data-source-pool.js';

const managers = new WeakMap<PostgresSession, Map<DataSource, EntityManager>>();

/**
 * The entity manager of a branch, one per branch and data source. Throws {@link BranchMisuse} where
 * the data source is for another database than the branch: its entities would be looked for, and
 * written, in the branch's.
 */
export function branchEntityManager(branch: Branch, dataSource: DataSource): EntityManager {
  const { session } = branch;
  let ofSession = managers.get(session);
  if (!ofSession) managers.set(session, (ofSession = new Map()));
  let manager = ofSession.get(dataSource);
  if (!manager) {
    assertSameDatabase(branch, dataSource);
    ofSession.set(dataSource, (manager = open(branch, dataSource)));
  }
  return manager;
}

function assertSameDatabase(branch: Branch, dataSource: DataSource): void {
  const pool = poolOf(dataSource);
  if (sameTarget(branch.pool, pool)) return;
  const why = `used a branch repository of a data source for ${describeLogin(pool)}, but its branch is a transaction of ${describeLogin(branch.pool)}: the work would have landed there. Use a repository of the branch's own database, and let a participant of the other database do the rest in the same transaction; if both addresses lead to one database, write them alike`;
  const scope = openScope();
  throw scope ? refuse(scope, why) : new BranchMisuse(`branch ${branch.gid} ${why}`);
}

/** The fields of TypeORM's runner that hold the state of its transaction. */
interface RunnerState {
  databaseConnection: unknown;
  isTransactionActive: boolean;
  transactionDepth: number;
}

function open({ client, session }: Branch, dataSource: DataSource): EntityManager {
  const runner = dataSource.createQueryRunner('master');
  const state = runner as QueryRunner & RunnerState;
  // The runner takes the branch's client for its connection, so it asks its pool for none, and its
  // release gives none back: the session does that.
  state.databaseConnection = client;
  // A transaction is open, at depth one: TypeORM's own transactions inside become savepoints.
  state.isTransactionActive = true;
  state.transactionDepth = 1;
  session.onClosed(() => {
    state.isTransactionActive = false;
    state.transactionDepth = 0;
    void runner.release();
  });
  return runner.manager;
}
