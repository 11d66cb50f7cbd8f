/**
 * TypeORM on a branch: a query runner that speaks through the branch's own gated client, so that
 * entities and raw queries share one session. Guards two field facts: TypeORM hides the command tag,
 * so it never sees BEGIN or PREPARE; and what is used after the branch's end must reject, never
 * autocommit. TypeORM is only a type here: services without it need not load it.
 */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { PostgresSession } from '../postgres/branch-session.js';

const managers = new WeakMap<PostgresSession, Map<DataSource, EntityManager>>();

/** The entity manager of a branch, one per session and data source. */
export function branchEntityManager(
  session: PostgresSession,
  dataSource: DataSource,
): EntityManager {
  let ofSession = managers.get(session);
  if (!ofSession) managers.set(session, (ofSession = new Map()));
  let manager = ofSession.get(dataSource);
  if (!manager) ofSession.set(dataSource, (manager = open(session, dataSource)));
  return manager;
}

/** The fields of TypeORM's runner that say where its transaction stands. */
interface RunnerState {
  databaseConnection: unknown;
  isTransactionActive: boolean;
  transactionDepth: number;
}

function open(session: PostgresSession, dataSource: DataSource): EntityManager {
  const runner = dataSource.createQueryRunner('master');
  const state = runner as QueryRunner & RunnerState;
  // The runner takes the branch's client for its connection, so it asks its pool for none, and its
  // release gives none back: the session does that.
  state.databaseConnection = session.client;
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
