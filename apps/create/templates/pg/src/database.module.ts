import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { config } from './config.js';

export const POOL = Symbol('pool');

const TABLE = `CREATE TABLE IF NOT EXISTS account (
  id text PRIMARY KEY,
  balance integer NOT NULL CHECK (balance >= 0)
)`;

/** Opens the pool and makes the table; ends the pool last, after branches have voted. */
@Module({
  providers: [
    {
      provide: POOL,
      useFactory: async () => {
        const pool = new pg.Pool({ connectionString: config.DATABASE_URL, max: 20 });
        await pool.query(TABLE);
        return pool;
      },
    },
  ],
  exports: [POOL],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(POOL) private readonly pool: pg.Pool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
