/** The ledger: a data source, a participant on it, accounts, and health. */
import { Module, StandardSchemaValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ParticipantModule } from '@concordat/participant';
import { DataSource } from 'typeorm';
import { AccountsModule } from './accounts/accounts.module.js';
import { openDataSource } from './data-source.js';
import { HealthController } from './health/health.controller.js';
import type { LedgerConfig } from './ledger.config.js';

@Module({})
export class LedgerModule {
  static configured(config: LedgerConfig): DynamicModule {
    return {
      module: LedgerModule,
      imports: [
        TypeOrmModule.forRootAsync({
          // It waits for the database by itself, and says so; what it throws is no reason to try again.
          useFactory: () => ({ type: 'postgres', toRetry: () => false }),
          dataSourceFactory: () => openDataSource(config),
        }),
        ParticipantModule.forRootAsync({
          inject: [DataSource],
          useFactory: (dataSource: DataSource) => ({
            name: config.PARTICIPANT_NAME,
            natsUrl: config.NATS_URL.split(','),
            cluster: config.CONCORDAT_CLUSTER,
            database: { dataSource },
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
        AccountsModule,
      ],
      controllers: [HealthController],
      providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
    };
  }
}
