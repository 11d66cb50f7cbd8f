/**
 * What a start has opened, as providers that every module may ask for: decision database, broker,
 * engine, loops, and what is kept of them for people. Guards one direction: the modules name classes,
 * and only this one knows where the instances come from.
 */
import { NatsParticipantChannel } from '@concordat/channel';
import {
  AuditTrail,
  OperationStore,
  ParticipantStore,
  PostgresDecisionRegister,
  PostgresHistoryWriter,
  TransactionReader,
} from '@concordat/decision-log';
import {
  DeadlockBreaker,
  KeyedBegins,
  Liveness,
  OrphanSettler,
  PrincipalMarks,
  Reconciler,
  Recoverer,
  TransactionManager,
  WaitBoard,
  WaitQuestions,
} from '@concordat/engine';
import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { AdminSessions } from '../access/admin-sessions.js';
import { EndedSessions } from '../access/ended-sessions.js';
import { KeyRing } from '../access/key-ring.js';
import { Doctor } from '../admin/doctor/doctor.js';
import { AdminEvents } from '../admin/events/admin-events.js';
import { OrphanList } from '../admin/orphans/orphan-list.js';
import { Pulse } from '../admin/overview/pulse.js';
import { SignIns } from '../admin/session/sign-ins.js';
import { Forwarder } from '../forwarding/forwarder.js';
import { Readiness } from '../health/readiness.js';
import { OPENED_FOR_METRICS, type OpenedForMetrics } from '../metrics/metrics.js';
import { ParticipantsWatch } from '../known/participants-watch.js';
import { CONFIG, type CoordinatorConfig } from '../platform/coordinator.config.js';
import { Identity } from '../platform/identity.js';
import { KnownParticipants } from '../problems/near-names.js';
import { BodyBudget } from '../requests/body-budget.js';
import type { CoordinatorParts } from './parts.js';

@Global()
@Module({})
export class OpenedModule {
  static of(parts: CoordinatorParts, config: CoordinatorConfig): DynamicModule {
    const providers = [
      ...surroundings(parts, config),
      ...engine(parts),
      ...seenByPeople(parts, config),
    ];
    return {
      module: OpenedModule,
      providers,
      exports: providers.map((one) => (one as { readonly provide: symbol }).provide),
    };
  }
}

function surroundings(parts: CoordinatorParts, config: CoordinatorConfig): Provider[] {
  const { log, identity } = parts;
  const keys = new KeyRing(config.keys);
  const ended = new EndedSessions(log.endedSessions, identity.clock);
  const wallNow = (): number => identity.clock.wallNow();
  return [
    { provide: CONFIG, useValue: config },
    { provide: Identity, useValue: identity },
    { provide: Readiness, useValue: parts.readiness },
    { provide: KeyRing, useValue: keys },
    {
      provide: AdminSessions,
      useValue: new AdminSessions(keys, log.sessionSecret, wallNow, ended),
    },
    { provide: SignIns, useValue: new SignIns(() => identity.clock.now()) },
    { provide: PrincipalMarks, useValue: log.marks },
    { provide: AuditTrail, useValue: log.audit },
    { provide: OperationStore, useValue: log.operations },
    { provide: ParticipantStore, useValue: log.participants },
    { provide: BodyBudget, useValue: new BodyBudget(config.bodiesBytesMax) },
  ];
}

function engine(parts: CoordinatorParts): Provider[] {
  const { log, identity, liveness } = parts;
  const { clock, incarnation } = identity;
  const keyed = new KeyedBegins({ register: log.register, liveness, clock }, incarnation);
  return [
    { provide: TransactionManager, useValue: parts.manager },
    { provide: Recoverer, useValue: parts.recoverer },
    { provide: Reconciler, useValue: parts.reconciler },
    { provide: Liveness, useValue: parts.liveness },
    { provide: OrphanSettler, useValue: parts.orphanSettler },
    { provide: NatsParticipantChannel, useValue: parts.channel },
    { provide: Forwarder, useValue: parts.forwarder },
    { provide: PostgresDecisionRegister, useValue: log.register },
    { provide: PostgresHistoryWriter, useValue: log.historyWriter },
    { provide: TransactionReader, useValue: log.reader },
    { provide: KeyedBegins, useValue: keyed },
    { provide: WaitBoard, useValue: parts.waits },
    { provide: WaitQuestions, useValue: parts.waitQuestions },
    { provide: DeadlockBreaker, useValue: parts.deadlocks },
  ];
}

function seenByPeople(parts: CoordinatorParts, config: CoordinatorConfig): Provider[] {
  const { log, commands, questions, watch, clockDistance, peers } = parts;
  const connections = [commands, questions] as const;
  const forMetrics: OpenedForMetrics = { ...parts, connections, clock: parts.identity.clock };
  return [
    { provide: ParticipantsWatch, useValue: watch },
    { provide: KnownParticipants, useValue: watch },
    { provide: Pulse, useValue: parts.pulse },
    { provide: OrphanList, useValue: parts.orphans },
    { provide: AdminEvents, useValue: parts.events },
    { provide: OPENED_FOR_METRICS, useValue: forMetrics },
    {
      provide: Doctor,
      inject: [KeyRing],
      useFactory: (keys: KeyRing) =>
        new Doctor({ log, connections, watch, keys, config, clockDistance, peers }),
    },
  ];
}
