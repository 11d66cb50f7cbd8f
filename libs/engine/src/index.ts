/** Floor 1: the engine. Imports the protocol only; performs its steps through the ports. */
export * from './ports/index.js';
export { Refusal, type RefusalCode } from './refusal.js';
export * from './errors.js';
export { NotBelieved, type DisbeliefCode } from './not-believed.js';
export type { Quota } from './asker-quotas.js';
export type { OutsideAsker, Question } from './inquirer.js';
export { FUTURE_MS_MAX, isFromTheFuture } from './inquiries.js';
export * from './transaction-options.js';
export { TransactionManager } from './transaction-manager.js';
export * from './recoverer.js';
export * from './branch-options.js';
export { voteMarginMs } from './admission.js';
export { BranchManager } from './branch-manager.js';
export * from './resolver.js';
export * from './orphan-finisher.js';
export * from './reconcile/found-orphan.js';
export { Reconciler } from './reconcile/reconciler.js';
export type { ReconcilerOptions, ReconcilerPorts, RecordResult } from './reconcile/reconciler.js';
