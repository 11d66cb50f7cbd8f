/** The stock service: a pool, Drizzle and a participant on it. */
import { ParticipantModule } from '@concordat/participant';
import { Module, type DynamicModule } from '@nestjs/common';
import type pg from 'pg';
import type { Config } from './config.js';
import { POOL } from './database.js';
import { DatabaseModule } from './database.module.js';
import { HealthController } from './health.controller.js';
import { StockController } from './stock.controller.js';
import { StockParticipant } from './stock.participant.js';

@Module({})
export class AppModule {
  static configured(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.at(config.DATABASE_URL),
        ParticipantModule.forRootAsync({
          inject: [POOL],
          useFactory: (pool: pg.Pool) => ({
            name: 'stock',
            natsUrl: config.NATS_URL,
            database: { pool },
            sessionsMax: 16, // leave the pool some connections for reading
          }),
        }),
      ],
      controllers: [HealthController, StockController],
      providers: [StockParticipant],
    };
  }
}
