/** Provides the pool to all modules, and ends it last: after branches have voted and HTTP has closed. */
import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { Pool } from 'pg';
import { POOL, openPool } from './database.js';
import type { InventoryConfig } from './inventory.config.js';

@Global()
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  static configured(config: InventoryConfig): DynamicModule {
    return {
      module: DatabaseModule,
      providers: [{ provide: POOL, useFactory: () => openPool(config) }],
      exports: [POOL],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.end();
  }
}
