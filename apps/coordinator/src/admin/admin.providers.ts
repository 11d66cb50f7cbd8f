/**
 * The admin API as providers and controllers of the coordinator's module. Guards one direction: what is
 * here uses the coordinator's parts and their commands; nothing of them knows of it.
 */
import type { Provider } from '@nestjs/common';
import { AuditTrail, OperationStore } from '@concordat/decision-log';
import { OrphanFinisher } from '@concordat/engine';
import { AdminSessions } from '../access/admin-sessions.js';
import { KeyRing } from '../access/key-ring.js';
import type { CoordinatorParts } from '../wiring/parts.js';
import { Audited } from './audit/audited.js';
import { OrphanList } from './orphans/orphan-list.js';
import { OverviewController } from './overview/overview.controller.js';
import { Overview } from './overview/overview.js';
import { Pulse } from './overview/pulse.js';
import { AdminParticipantsController } from './participants/admin-participants.controller.js';
import { ParticipantsWatch } from './participants/participants-watch.js';
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
];

export function adminProviders(parts: CoordinatorParts): Provider[] {
  const { clock } = parts.identity;
  return [
    {
      provide: AdminSessions,
      inject: [KeyRing],
      useFactory: (keys: KeyRing) =>
        new AdminSessions(keys, parts.log.sessionSecret, () => clock.wallNow()),
    },
    { provide: SignIns, useValue: new SignIns(() => clock.now()) },
    { provide: AuditTrail, useValue: parts.log.audit },
    { provide: OperationStore, useValue: parts.log.operations },
    { provide: ParticipantsWatch, useValue: parts.watch },
    { provide: Pulse, useValue: parts.pulse },
    { provide: OrphanFinisher, useValue: parts.orphanFinisher },
    { provide: OrphanList, useValue: new OrphanList(parts.reconciler) },
    Audited,
    Situations,
    Deeds,
    TransactionActions,
    AdminLists,
    Overview,
  ];
}
