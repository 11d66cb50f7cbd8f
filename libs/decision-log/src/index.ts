/** Floor 2: the decision log. The register, the history and their reader on Postgres. */
export {
  DecisionLog,
  openDecisionLog,
  type DecisionLogHealth,
  type DecisionLogOptions,
} from './decision-log.js';
export {
  PostgresDecisionRegister,
  type RegisterCounters,
} from './register/postgres-decision-register.js';
export { isAboutTheData } from './register/unknown.js';
export { RegisterClock, type TimeReading } from './register-clock.js';
export type { Heartbeat, KnownCoordinator, RegisterName } from './register/coordinators.js';
export type { Pruned } from './register/pruner.js';
export { PostgresHistoryWriter, type HistoryCounters } from './history/postgres-history-writer.js';
export { readBranches, readTimeline } from './history/story.js';
export {
  TransactionReader,
  type Attention,
  type InDoubt,
  type TransactionPage,
} from './reader/transaction.reader.js';
export { type ListRequest, type TransactionFilter, type View } from './reader/list-filter.js';
export type {
  HeuristicRecord,
  TransactionRecord,
  TransactionSummary,
} from './reader/transaction-record.js';
export type { RegisterCheck } from './checkup/checkup.js';
export { AuditTrail, type AuditRequest, type AuditTrailPage } from './audit/audit-trail.js';
export type { AuditDraft, AuditPhase, AuditRecord } from './audit/audit-entry.js';
export {
  OperationStore,
  type ItemOutcome,
  type ItemRecord,
  type ItemResult,
  type OperationAction,
  type OperationPlan,
  type OperationRecord,
  type PlannedItem,
} from './operations/operation-store.js';
export {
  ParticipantStore,
  type AnsweredParticipant,
  type RememberedParticipant,
} from './participants/participant-store.js';
export {
  CursorRefused,
  DecisionDatabaseUnusable,
  NothingToResolve,
  type UnusableCode,
} from './refusals.js';
