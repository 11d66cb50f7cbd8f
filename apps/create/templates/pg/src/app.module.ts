import { ParticipantModule } from '@concordat/participant';
import { Module } from '@nestjs/common';
import type pg from 'pg';
import { AccountsParticipant } from './accounts/accounts.participant.js';
import { config } from './config.js';
import { DatabaseModule, POOL } from './database.module.js';
import { HealthController } from './health.controller.js';

@Module({
  imports: [
    DatabaseModule,
    ParticipantModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [POOL],
      useFactory: (pool: pg.Pool) => ({
        name: '__service__', // what transactions call this service
        natsUrl: config.NATS_URL,
        database: { pool },
        sessionsMax: 16, // branches at work at once; leave the pool some connections for reading
      }),
    }),
  ],
  controllers: [HealthController],
  providers: [AccountsParticipant],
})
export class AppModule {}
