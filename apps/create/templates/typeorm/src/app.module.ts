import { ParticipantModule } from '@concordat/participant';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Account } from './accounts/account.entity.js';
import { AccountsParticipant } from './accounts/accounts.participant.js';
import { config } from './config.js';
import { HealthController } from './health.controller.js';
import { CreateAccount1764460800000 } from './migrations/1764460800000-create-account.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: config.DATABASE_URL,
      entities: [Account],
      migrations: [CreateAccount1764460800000],
      migrationsRun: true,
      poolSize: 20,
    }),
    ParticipantModule.forRootAsync({
      inject: [DataSource],
      useFactory: (dataSource: DataSource) => ({
        name: '__service__', // what transactions call this service
        natsUrl: config.NATS_URL,
        database: { dataSource },
        sessionsMax: 16, // branches at work at once; leave the pool some connections for reading
      }),
    }),
  ],
  controllers: [HealthController],
  providers: [AccountsParticipant],
})
export class AppModule {}
