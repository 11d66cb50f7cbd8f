/** The pg pool inside an initialised TypeORM data source: branches use the service's own connections. */
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

export function poolOf(dataSource: DataSource): Pool {
  const { driver } = dataSource as { driver: { master?: Pool } };
  const type: string = dataSource.options.type;
  if (type !== 'postgres') {
    throw new TypeError(`the data source is for ${type}; branches need one of type "postgres"`);
  }
  if (!dataSource.isInitialized || !driver.master) {
    throw new TypeError(
      'the data source is not initialised: call initialize() before the participant starts, or inject it from TypeOrmModule',
    );
  }
  return driver.master;
}
