/** The inventory: a pool, a participant on it, stock, and health. */
import { Module, StandardSchemaValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { ParticipantModule } from '@concordat/participant';
import type { Pool } from 'pg';
import { DatabaseModule } from './database.module.js';
import { POOL } from './database.js';
import { HealthController } from './health/health.controller.js';
import type { InventoryConfig } from './inventory.config.js';
import { StockController } from './stock/stock.controller.js';
import { StockParticipant } from './stock/stock.participant.js';

@Module({})
export class InventoryModule {
  static configured(config: InventoryConfig): DynamicModule {
    return {
      module: InventoryModule,
      imports: [
        DatabaseModule.configured(config),
        ParticipantModule.forRootAsync({
          inject: [POOL],
          useFactory: (pool: Pool) => ({
            name: config.PARTICIPANT_NAME,
            natsUrl: config.NATS_URL.split(','),
            cluster: config.CONCORDAT_CLUSTER,
            database: { pool },
            schema: config.DATABASE_SCHEMA,
            sessionsMax: config.CONCORDAT_SESSIONS_MAX,
            inDoubtMax: config.CONCORDAT_IN_DOUBT_MAX,
            graceMs: config.CONCORDAT_GRACE_MS,
            resolvePeriodMs: config.CONCORDAT_RESOLVE_PERIOD_MS,
            drainMs: config.CONCORDAT_DRAIN_MS,
            retentionMs: config.CONCORDAT_RETENTION_MS,
            databaseWaitMs: config.CONCORDAT_START_WAIT_MS,
          }),
        }),
      ],
      controllers: [HealthController, StockController],
      providers: [StockParticipant, { provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
    };
  }
}
