/** Provides the database, and ends its pool last: after branches have voted and HTTP has closed. */
import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { DATABASE, POOL, openDatabase, openPool } from './database.js';

@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(POOL) private readonly pool: pg.Pool) {}

  static at(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: POOL, useFactory: () => openPool(url) },
        { provide: DATABASE, inject: [POOL], useFactory: openDatabase },
      ],
      exports: [POOL, DATABASE],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
