/** What people see of a transaction, a participant or an orphan, from what is known of it. */
export { afterAbort, causeSentence, isRetryable } from './cause.js';
export { explain } from './explanation.js';
export {
  attemptsOf,
  hasEnded,
  type KnownTransaction,
  type Resolution,
} from './known-transaction.js';
export { entryOf, offeredActions, type Site } from './offered-actions.js';
export { nextOf, orphanActions, type ListedOrphan } from './orphans.js';
export type {
  LastKnown,
  ParticipantSeen,
  ParticipantState,
  SeenLockWait,
  SeenLockWaits,
  Undelivered,
} from './participant-seen.js';
export { retireAction, type Retiring } from './retirement.js';
export { stepsFor, type RunbookStep } from './runbook.sql.js';
export {
  blockedSessions,
  blocksOf,
  gidOf,
  inDatabase,
  inStatusSinceMs,
  stateOf,
  traceless,
  votelessBranches,
  waitingBranches,
  waitsFor,
  type Delivery,
  type Situation,
} from './situation.js';
export { summaryOf } from './summary.js';
export { branchWaits, mayWait, type BranchWaits } from './waits/branch-waits.js';
export { cyclesOf } from './waits/cycles.js';
export { WaitPicture, type Blocker, type Blocks, type PictureWait } from './waits/wait-picture.js';
