/** The pg pools inside an initialised TypeORM data source: branches use the service's own connections. */
import type { Pool } from 'pg';
import { guardPool } from '../branch/pool-guard.js';
import type { TypeOrmDataSource } from '../participant/participant-options.js';

interface Pools {
  readonly master?: Pool;
  /** Of replicas, where reading is replicated; an ordinary repository reads there. */
  readonly slaves?: readonly Pool[];
}

export function poolOf(dataSource: TypeOrmDataSource): Pool {
  const { master } = poolsIn(dataSource);
  if (!dataSource.isInitialized || !master) {
    throw new TypeError(
      'the data source is not initialised: call initialize() before the participant starts, or inject it from TypeOrmModule',
    );
  }
  return master;
}

/**
 * Lets a data source refuse to be used while a branch is open in the same asynchronous context, as
 * `guardPool` does: its repositories, managers, query runners and transactions. A participant guards
 * the data source it is given by itself; this is for the others of a service, after `initialize()`.
 * Returns what takes the guard away.
 */
export function guardDataSource(dataSource: TypeOrmDataSource): () => void {
  const pools = [poolOf(dataSource), ...(poolsIn(dataSource).slaves ?? [])];
  const undo = pools.map(guardPool);
  return () => undo.forEach((one) => one());
}

function poolsIn(dataSource: TypeOrmDataSource): Pools {
  const { driver } = dataSource as { driver: Pools };
  const type: string = dataSource.options.type;
  if (type !== 'postgres') {
    throw new TypeError(`the data source is for ${type}; branches need one of type "postgres"`);
  }
  return driver;
}
