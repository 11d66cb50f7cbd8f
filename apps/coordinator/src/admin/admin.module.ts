/**
 * The admin API: lists, the reasons of each transaction, actions behind guards, bulk work, the doctor.
 * Guards one direction: it uses transactions and what was opened; nothing of them knows of it.
 */
import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { TransactionsModule } from '../transactions/transactions.module.js';
import { AuditController } from './audit/audit.controller.js';
import { DoctorController } from './doctor/doctor.controller.js';
import { EventStream } from './events/event-stream.js';
import { EventsController } from './events/events.controller.js';
import { OperationPlans } from './operations/operation-plans.js';
import { OperationRunner } from './operations/operation-runner.js';
import { OperationsController } from './operations/operations.controller.js';
import { Operations } from './operations/operations.js';
import { OrphanActions } from './orphans/orphan-actions.js';
import { OrphansController } from './orphans/orphans.controller.js';
import { OverviewController } from './overview/overview.controller.js';
import { Overview } from './overview/overview.js';
import { AdminParticipantsController } from './participants/admin-participants.controller.js';
import { ParticipantActions } from './participants/participant-actions.js';
import { SessionController } from './session/session.controller.js';
import { AdminLists } from './transactions/admin-lists.js';
import { AdminTransactionsController } from './transactions/admin-transactions.controller.js';
import { OperatorActions } from './transactions/operator-actions.js';
import { Situations } from './transactions/situations.js';
import { TransactionActions } from './transactions/transaction-actions.js';

@Module({
  imports: [AccessModule, TransactionsModule],
  controllers: [
    SessionController,
    OverviewController,
    AdminTransactionsController,
    AdminParticipantsController,
    AuditController,
    OrphansController,
    OperationsController,
    EventsController,
    DoctorController,
  ],
  providers: [
    EventStream,
    OrphanActions,
    OperationPlans,
    OperationRunner,
    Operations,
    ParticipantActions,
    Situations,
    OperatorActions,
    TransactionActions,
    AdminLists,
    Overview,
  ],
})
export class AdminModule {}
