/**
 * The coordinator as a Nest module; its imports are its table of contents. Guards one direction, which
 * the dependency check holds between the folders: access and requests know of no transaction,
 * transactions know of no admin API, and nothing but the wiring knows how anything is opened.
 */
import { Module, type DynamicModule } from '@nestjs/common';
import { AccessModule } from './access/access.module.js';
import { AdminModule } from './admin/admin.module.js';
import { ClusterModule } from './cluster/cluster.module.js';
import { HealthModule } from './health/health.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { DocumentationModule } from './openapi/documentation.module.js';
import { ParticipantsModule } from './participants/participants.module.js';
import type { CoordinatorConfig } from './platform/coordinator.config.js';
import { RequestsModule } from './requests/requests.module.js';
import { TransactionsModule } from './transactions/transactions.module.js';
import { OpenedModule } from './wiring/opened.module.js';
import type { CoordinatorParts } from './wiring/parts.js';

export const MODULES = [
  AccessModule,
  RequestsModule,
  TransactionsModule,
  ParticipantsModule,
  ClusterModule,
  HealthModule,
  MetricsModule,
  DocumentationModule,
  AdminModule,
];

@Module({})
export class CoordinatorModule {
  static of(parts: CoordinatorParts, config: CoordinatorConfig): DynamicModule {
    return { module: CoordinatorModule, imports: [OpenedModule.of(parts, config), ...MODULES] };
  }
}
