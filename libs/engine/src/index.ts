/** Floor 1: the engine. Imports the protocol only; performs its steps through the ports. */
export * from './ports/index.js';
export { Refusal, type RefusalCode } from './refusal.js';
export * from './errors.js';
export { NotBelieved, type DisbeliefCode } from './not-believed.js';
export type { LimitCode, LimitStatistics } from './begin-limits.js';
export type { Quota } from './asker-quotas.js';
export type { OutsideAsker, Question } from './inquirer.js';
export * from './liveness.js';
export { isFromTheFuture } from './inquiries.js';
export * from './transaction-options.js';
export { TransactionManager } from './transaction-manager.js';
export { type BegunRequest, type OneCall } from './attempts.js';
export { type PrepareChoice } from './collisions.js';
export * from './recoverer.js';
export * from './housekeeping.js';
export * from './heard-prepares.js';
export * from './keyed-begins.js';
export * from './lost-prepares.js';
export * from './branch-options.js';
export { voteMarginMs } from './admission.js';
export { BranchManager } from './branch-manager.js';
export * from './resolver.js';
export * from './owner-watch.js';
export * from './waits/wait-reporter.js';
export { Pace } from './pace.js';
export { within } from './pause.js';
export { nameOf, WaitsWithoutSession, type RecalledWait } from './waits/waits-without-session.js';
export * from './waits/wait-board.js';
export { DeadlockBreaker } from './waits/deadlock-breaker.js';
export type {
  BrokenCycle,
  CycleWait,
  DeadlockBreakerOptions,
  DeadlockCounters,
} from './waits/deadlock-breaker.js';
export type { SeenWaits } from './waits/seen-waits.js';
export { cycleOf, victimsAmong, type Cycle, type CycleEdge } from './waits/cycles.js';
export * from './orphan-settler.js';
export * from './reconcile/found-orphan.js';
export { Reconciler } from './reconcile/reconciler.js';
export type { ReconcilerOptions, ReconcilerPorts, RecordResult } from './reconcile/reconciler.js';
