/**
 * The admin API as providers and controllers of the coordinator's module. Guards one direction: what is
 * here uses the coordinator's parts and their commands; nothing of them knows of it.
 */
import type { Provider } from '@nestjs/common';
import { AuditTrail, OperationStore, ParticipantStore } from '@concordat/decision-log';
import { OrphanFinisher, Reconciler } from '@concordat/engine';
import { AdminSessions } from '../access/admin-sessions.js';
import { EndedSessions } from '../access/ended-sessions.js';
import { KeyRing } from '../access/key-ring.js';
import type { CoordinatorConfig } from '../platform/coordinator.config.js';
import type { CoordinatorParts } from '../wiring/parts.js';
import { AuditController } from './audit/audit.controller.js';
import { Audited } from '../access/audited.js';
import { DoctorController } from './doctor/doctor.controller.js';
import { Doctor } from './doctor/doctor.js';
import { AdminEvents } from './events/admin-events.js';
import { EventStream } from './events/event-stream.js';
import { EventsController } from './events/events.controller.js';
import { OperationPlans } from './operations/operation-plans.js';
import { OperationRunner } from './operations/operation-runner.js';
import { OperationsController } from './operations/operations.controller.js';
import { Operations } from './operations/operations.js';
import { OrphanActions } from './orphans/orphan-actions.js';
import { OrphansController } from './orphans/orphans.controller.js';
import { OrphanList } from './orphans/orphan-list.js';
import { OverviewController } from './overview/overview.controller.js';
import { Overview } from './overview/overview.js';
import { Pulse } from './overview/pulse.js';
import { AdminParticipantsController } from './participants/admin-participants.controller.js';
import { ParticipantActions } from './participants/participant-actions.js';
import { ParticipantsWatch } from '../known/participants-watch.js';
import { SessionController } from './session/session.controller.js';
import { SignIns } from './session/sign-ins.js';
import { AdminLists } from './transactions/admin-lists.js';
import { AdminTransactionsController } from './transactions/admin-transactions.controller.js';
import { Deeds } from './transactions/deeds.js';
import { Situations } from './transactions/situations.js';
import { TransactionActions } from './transactions/transaction-actions.js';

export const ADMIN_CONTROLLERS = [
  SessionController,
  OverviewController,
  AdminTransactionsController,
  AdminParticipantsController,
  AuditController,
  OrphansController,
  OperationsController,
  EventsController,
  DoctorController,
];

export function adminProviders(parts: CoordinatorParts, config: CoordinatorConfig): Provider[] {
  const { clock } = parts.identity;
  return [
    {
      provide: AdminSessions,
      inject: [KeyRing],
      useFactory: (keys: KeyRing) =>
        new AdminSessions(
          keys,
          parts.log.sessionSecret,
          () => clock.wallNow(),
          new EndedSessions(parts.log.endedSessions, clock),
        ),
    },
    { provide: SignIns, useValue: new SignIns(() => clock.now()) },
    { provide: AuditTrail, useValue: parts.log.audit },
    { provide: OperationStore, useValue: parts.log.operations },
    { provide: ParticipantStore, useValue: parts.log.participants },
    { provide: ParticipantsWatch, useValue: parts.watch },
    { provide: Pulse, useValue: parts.pulse },
    { provide: OrphanFinisher, useValue: parts.orphanFinisher },
    { provide: OrphanList, useValue: parts.orphans },
    { provide: Reconciler, useValue: parts.reconciler },
    { provide: AdminEvents, useValue: parts.events },
    {
      provide: Doctor,
      inject: [KeyRing],
      useFactory: (keys: KeyRing) => doctorOf(parts, config, keys),
    },
    Audited,
    EventStream,
    OrphanActions,
    OperationPlans,
    OperationRunner,
    Operations,
    ParticipantActions,
    Situations,
    Deeds,
    TransactionActions,
    AdminLists,
    Overview,
  ];
}

function doctorOf(parts: CoordinatorParts, config: CoordinatorConfig, keys: KeyRing): Doctor {
  const { log, commands, questions, watch, clockDistance, peers } = parts;
  const connections = [commands, questions] as const;
  return new Doctor({ log, connections, watch, keys, config, clockDistance, peers });
}
