/** Sequelize 6 in a branch: its connections are those of the branch that is current. */
import { branchConnection, findBranch } from '@concordat/participant/standalone';
import type { CustomTypesConfig } from 'pg';
import type { Sequelize } from 'sequelize';

export interface FollowOptions {
  /** Whether Sequelize's own pool serves work outside of a branch. Otherwise such work throws `NoBranch`. */
  readonly ownPoolOutside?: boolean;
  /** Only in branches of this participant, where the process has several. */
  readonly participant?: string;
}

/** The parts of Sequelize's connection manager for Postgres that are used or replaced. */
interface ConnectionManager {
  readonly dialect: { readonly defaultVersion: string };
  getConnection(options?: unknown): Promise<unknown>;
  releaseConnection(connection: unknown): void;
  destroyConnection(connection: unknown): Promise<void>;
  readonly getTypeParser: CustomTypesConfig['getTypeParser'];
  /** Learns the types of the database, as Sequelize does at each new connection. */
  _refreshDynamicOIDs(connection: unknown): Promise<void>;
}

type Connection = ReturnType<typeof branchConnection>;

/**
 * Lets a Sequelize instance follow branches: in a branch its queries, models and transactions work there,
 * and `sequelize.transaction` is a savepoint. Returns the instance. Call it once, before the first query.
 */
export function followBranches(sequelize: Sequelize, options: FollowOptions = {}): Sequelize {
  const { participant, ownPoolOutside = false } = options;
  const manager = (sequelize as unknown as { connectionManager: ConnectionManager })
    .connectionManager;
  const { getConnection, releaseConnection, destroyConnection } = manager;
  const lent = new WeakSet<object>();
  const types: CustomTypesConfig = {
    getTypeParser: ((oid: number, format?: 'text') =>
      manager.getTypeParser(oid, format)) as CustomTypesConfig['getTypeParser'],
  };
  assumeVersion(sequelize, manager);
  let knowsTypes = false;
  manager.getConnection = async (acquire) => {
    if (!findBranch() && ownPoolOutside) return getConnection.call(manager, acquire);
    const connection = branchConnection({ participant, types });
    lent.add(connection);
    if (!knowsTypes) {
      await manager._refreshDynamicOIDs(connection);
      knowsTypes = true;
    }
    return connection;
  };
  manager.releaseConnection = (connection) => {
    if (!lent.has(connection as object)) return releaseConnection.call(manager, connection);
    (connection as Connection).release();
  };
  manager.destroyConnection = async (connection) => {
    if (!lent.has(connection as object)) return destroyConnection.call(manager, connection);
    (connection as Connection).release();
  };
  return sequelize;
}

/** Sequelize asks for it on a connection of its own, which is perhaps never made. */
function assumeVersion(sequelize: Sequelize, { dialect }: ConnectionManager): void {
  const { options } = sequelize as unknown as { options: { databaseVersion?: string | number } };
  options.databaseVersion ||= dialect.defaultVersion;
}
