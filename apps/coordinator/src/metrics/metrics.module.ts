/** Prometheus metrics, read where they are counted. */
import { Module } from '@nestjs/common';
import { BodyBudget } from '../requests/body-budget.js';
import { CarryOut } from '../transactions/carry-out.js';
import { TimelineStream } from '../transactions/timeline-stream.js';
import { TransactionsModule } from '../transactions/transactions.module.js';
import { MetricsController } from './metrics.controller.js';
import { Metrics, OPENED_FOR_METRICS, type OpenedForMetrics } from './metrics.js';

@Module({
  imports: [TransactionsModule],
  controllers: [MetricsController],
  providers: [
    {
      provide: Metrics,
      inject: [OPENED_FOR_METRICS, TimelineStream, BodyBudget, CarryOut],
      useFactory: (
        opened: OpenedForMetrics,
        timelines: TimelineStream,
        bodies: BodyBudget,
        carryOut: CarryOut,
      ) => new Metrics({ ...opened, timelines, bodies, carryOut }),
    },
  ],
})
export class MetricsModule {}
