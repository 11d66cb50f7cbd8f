/**
 * The coordinator as a Nest module: the opened parts as providers, and what the REST API needs on
 * top. Guards one direction: controllers use commands and lookups, these use the engine's ports, and
 * nothing below knows of HTTP.
 */
import { NatsParticipantChannel } from '@concordat/channel';
import {
  PostgresDecisionRegister,
  PostgresJournal,
  TransactionReader,
} from '@concordat/decision-log';
import {
  DeadlockBreaker,
  KeyedBegins,
  Liveness,
  PrincipalMarks,
  Recoverer,
  TransactionManager,
  WaitBoard,
  WaitQuestions,
} from '@concordat/engine';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { ADMIN_CONTROLLERS, adminProviders } from './admin/admin.providers.js';
import { ApiKeyGuard } from './access/api-key.guard.js';
import { KeyRing } from './access/key-ring.js';
import { ClusterController } from './cluster/cluster.controller.js';
import { CONFIG, type CoordinatorConfig } from './platform/coordinator.config.js';
import { CarryOut } from './transactions/carry-out.js';
import { Forwarder } from './forwarding/forwarder.js';
import { Joining } from './forwarding/joining.js';
import { HealthController } from './health/health.controller.js';
import { Readiness } from './health/readiness.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { Metrics } from './metrics/metrics.js';
import { ParticipantsController } from './participants/participants.controller.js';
import { ProblemFilter } from './requests/problem.filter.js';
import { ProblemsController } from './openapi/problems.controller.js';
import { BodyBudget } from './requests/body-budget.js';
import { RouteTable } from './requests/route-table.js';
import { StrictSchemaPipe } from './requests/strict-schema.pipe.js';
import { InspectionController } from './transactions/inspection.controller.js';
import { AnyCoordinator } from './transactions/any-coordinator.js';
import { KeyedWork } from './transactions/keyed-work.js';
import { OwnTransactions } from './transactions/own-transactions.js';
import { TimelineStream } from './transactions/timeline-stream.js';
import { TransactionCommands } from './transactions/transaction-commands.js';
import { TransactionLookup } from './transactions/transaction-lookup.js';
import { TransactionRecords } from './transactions/transaction-records.js';
import { TransactionsController } from './transactions/transactions.controller.js';
import { WaitsSeen } from './waits/waits-seen.js';
import { Identity } from './platform/identity.js';
import type { CoordinatorParts } from './wiring/parts.js';

export const CONTROLLERS = [
  TransactionsController,
  InspectionController,
  ParticipantsController,
  ClusterController,
  HealthController,
  MetricsController,
  ProblemsController,
  ...ADMIN_CONTROLLERS,
];

@Module({})
export class CoordinatorModule {
  static of(parts: CoordinatorParts, config: CoordinatorConfig): DynamicModule {
    return {
      module: CoordinatorModule,
      controllers: CONTROLLERS,
      providers: [
        ...openedProviders(parts, config),
        ...adminProviders(parts, config),
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: APP_PIPE, useClass: StrictSchemaPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
        RouteTable,
        { provide: BodyBudget, useValue: new BodyBudget(config.bodiesBytesMax) },
        TransactionRecords,
        TransactionLookup,
        OwnTransactions,
        KeyedWork,
        TransactionCommands,
        AnyCoordinator,
        Joining,
        CarryOut,
        TimelineStream,
        WaitsSeen,
        {
          provide: KeyedBegins,
          useFactory: () => keyedBeginsOf(parts),
        },
        {
          provide: Metrics,
          inject: [TimelineStream, BodyBudget, CarryOut],
          useFactory: (timelines: TimelineStream, bodies: BodyBudget, carryOut: CarryOut) =>
            metricsOf(parts, timelines, bodies, carryOut),
        },
      ],
    };
  }
}

function openedProviders(parts: CoordinatorParts, config: CoordinatorConfig): Provider[] {
  return [
    { provide: CONFIG, useValue: config },
    { provide: KeyRing, useValue: new KeyRing(config.keys) },
    { provide: Identity, useValue: parts.identity },
    { provide: Readiness, useValue: parts.readiness },
    { provide: PrincipalMarks, useValue: parts.log.marks },
    { provide: TransactionManager, useValue: parts.manager },
    { provide: Recoverer, useValue: parts.recoverer },
    { provide: Liveness, useValue: parts.liveness },
    { provide: NatsParticipantChannel, useValue: parts.channel },
    { provide: Forwarder, useValue: parts.forwarder },
    { provide: PostgresDecisionRegister, useValue: parts.log.register },
    { provide: PostgresJournal, useValue: parts.log.journal },
    { provide: WaitBoard, useValue: parts.waits },
    { provide: WaitQuestions, useValue: parts.waitQuestions },
    { provide: DeadlockBreaker, useValue: parts.deadlocks },
    { provide: TransactionReader, useValue: parts.log.reader },
  ];
}

function keyedBeginsOf({ log, liveness, identity }: CoordinatorParts): KeyedBegins {
  const { clock, incarnation } = identity;
  return new KeyedBegins({ register: log.register, liveness, clock }, incarnation);
}

function metricsOf(
  parts: CoordinatorParts,
  timelines: TimelineStream,
  bodies: BodyBudget,
  carryOut: CarryOut,
): Metrics {
  const { manager, recoverer, log, commands, questions, watch, reconciler } = parts;
  const { readiness, clockDistance, peers, orphans, forwarder, waits, deadlocks } = parts;
  return new Metrics({
    manager,
    recoverer,
    log,
    connections: [commands, questions],
    readiness,
    clockDistance,
    peers,
    timelines,
    bodies,
    watch,
    reconciler,
    orphans,
    forwarder,
    carryOut,
    waits,
    deadlocks,
    clock: parts.identity.clock,
  });
}
