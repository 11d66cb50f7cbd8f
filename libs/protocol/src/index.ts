/** Floor 0: the protocol. Imports nothing, reads no clock, makes no promise. */
export * from './identity.js';
export * from './vote.js';
export * from './decision.js';
export * from './outcome.js';
export * from './backoff.js';
export * from './violation.js';
export * from './transaction.js';
export * from './branch.js';
export * from './recovery.js';
export { TRANSACTION_TRANSITIONS, BRANCH_TRANSITIONS, type Transitions } from './transitions.js';
export { stepTransaction } from './transaction-step.js';
export { stepBranch } from './branch-step.js';
