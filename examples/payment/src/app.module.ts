/** The payment service: Prisma, and a participant on the same database. */
import { ParticipantModule } from '@concordat/participant';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from './config.js';
import { DatabaseModule } from './database.module.js';
import { HealthController } from './health.controller.js';
import { PaymentController } from './payment.controller.js';
import { PaymentParticipant } from './payment.participant.js';

@Module({})
export class AppModule {
  static configured({ DATABASE_URL: url, NATS_URL: natsUrl }: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.at(url),
        // Prisma keeps a pool of its own for work outside of branches.
        ParticipantModule.forRoot({
          name: 'payment',
          natsUrl,
          database: { url, connectionsMax: 16 },
        }),
      ],
      controllers: [HealthController, PaymentController],
      providers: [PaymentParticipant],
    };
  }
}
