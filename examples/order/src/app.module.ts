/** The order service: a data source, a participant on it, and a client for its own transactions. */
import { ConcordatModule } from '@concordat/client-nest';
import { ParticipantModule } from '@concordat/participant';
import { Module, StandardSchemaValidationPipe, type DynamicModule } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Config } from './config.js';
import { HealthController } from './health.controller.js';
import { CreateOrder1764460800000 } from './migrations/1764460800000-create-order.js';
import { Checkout } from './orders/checkout.js';
import { Order } from './orders/order.entity.js';
import { OrdersController } from './orders/orders.controller.js';
import { OrdersParticipant } from './orders/orders.participant.js';

@Module({})
export class AppModule {
  static configured(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: config.DATABASE_URL,
          entities: [Order],
          migrations: [CreateOrder1764460800000],
          migrationsRun: true,
          poolSize: 20,
        }),
        TypeOrmModule.forFeature([Order]),
        ParticipantModule.forRootAsync({
          inject: [DataSource],
          useFactory: (dataSource: DataSource) => ({
            name: 'order',
            natsUrl: config.NATS_URL,
            database: { dataSource },
            sessionsMax: 16, // leave the pool some connections for reading
          }),
        }),
        ConcordatModule.forRoot({ url: config.CONCORDAT_URL, apiKey: config.CONCORDAT_API_KEY }),
      ],
      controllers: [HealthController, OrdersController],
      providers: [
        Checkout,
        OrdersParticipant,
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
      ],
    };
  }
}
