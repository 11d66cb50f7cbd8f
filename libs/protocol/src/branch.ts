/**
 * The branch machine: one participant's share of one transaction, as one instance of the participant
 * sees it. What is true of a branch is in the database (prepared transaction, outcome row,
 * tombstone); this state only says what this instance is doing about it, so `absent` is always a
 * legal memory. Guards protocol §4.2 and §4.4: a yes leaves only after PREPARE answered with its own
 * tag, and an acknowledgement only after the database said what became of the branch.
 */
import type { Decision } from './decision.js';
import type { BranchOutcome, HeuristicEvidence } from './outcome.js';
import type { Vote, VoteAgainst } from './vote.js';

export type BranchState =
  /** This instance remembers nothing; the database may know more. */
  | { readonly phase: 'absent' }
  /** A database transaction is open here. `open` work waits for more calls under an idle lease. */
  | { readonly phase: 'working'; readonly work: 'bundled' | 'open' }
  /** Outcome row and PREPARE TRANSACTION have been sent to the database. */
  | { readonly phase: 'preparing' }
  /** In doubt: it may be prepared, and only the register knows the decision. */
  | { readonly phase: 'prepared' }
  | { readonly phase: 'committing' }
  | { readonly phase: 'aborting' }
  /** Finished as far as this instance can see; its memory may be dropped. */
  | { readonly phase: 'ended'; readonly how: BranchOutcome | { readonly kind: 'read-only' } };

export type BranchPhase = BranchState['phase'];

/** What the database made of outcome row and PREPARE. */
export type PrepareResult =
  /** Command tag `PREPARE`: the promise is durable. */
  | { readonly kind: 'prepared' }
  /** Nothing had been written: committed locally, no slot taken. */
  | { readonly kind: 'read-only' }
  /** In one phase: command tag `COMMIT`, and the branch's own outcome row with it. */
  | { readonly kind: 'committed' }
  /** Certainly not prepared: tag `ROLLBACK`, a constraint, a tombstone, slots exhausted. */
  | { readonly kind: 'rolled-back'; readonly vote: VoteAgainst }
  /**
   * The answer was lost, or it does not prove a rollback. It may be prepared. `vote` is the no that is
   * said meanwhile, where more is known than that no answer came.
   */
  | { readonly kind: 'unknown'; readonly reason: string; readonly vote?: VoteAgainst };

/** What the database made of COMMIT PREPARED. */
export type CommitResult =
  /** Committed now, or its outcome row shows that it was committed earlier. */
  | { readonly kind: 'committed' }
  /** 42704 and no outcome row of its own: the work is not there. */
  | { readonly kind: 'heuristic'; readonly evidence: HeuristicEvidence }
  /** Another session is finishing it, or a lock was not available in time: ask again. */
  | { readonly kind: 'busy'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What the database made of ROLLBACK PREPARED and the tombstone. */
export type AbortResult =
  | { readonly kind: 'aborted' }
  /** In one phase: its own outcome row was there first, durably, and is the decision. */
  | { readonly kind: 'committed' }
  /** In one phase: it is past the participant's retention, and which of the two it was is not known any more. */
  | { readonly kind: 'forgotten'; readonly reason: string }
  | { readonly kind: 'heuristic'; readonly evidence: HeuristicEvidence }
  | { readonly kind: 'busy'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export type BranchEvent =
  /** A prepare with operations, or the first call of open work, was admitted here. */
  | { readonly type: 'begun'; readonly work: 'bundled' | 'open' }
  /** Another call arrived for open work. */
  | { readonly type: 'work-continued' }
  /** Bundled operations are done, or open work was asked to prepare. */
  | { readonly type: 'prepare-due' }
  /** An operation refused or failed, the deadline or the lease passed: the answer is no. */
  | { readonly type: 'refused'; readonly vote: VoteAgainst }
  | { readonly type: 'prepare-answered'; readonly result: PrepareResult }
  | { readonly type: 'commit-received' }
  | { readonly type: 'abort-received' }
  | { readonly type: 'commit-answered'; readonly result: CommitResult }
  | { readonly type: 'abort-answered'; readonly result: AbortResult };

/** What the database is to do, in order; every one but `rollback` is answered by an event. */
export type BranchRecord =
  /** End the open database transaction without a trace. */
  | { readonly type: 'rollback' }
  /** Outcome row, then PREPARE TRANSACTION; in one phase COMMIT; or a local end if nothing was written. */
  | { readonly type: 'prepare' }
  | { readonly type: 'commit' }
  /** ROLLBACK PREPARED, then a tombstone, first writer wins. */
  | { readonly type: 'abort' };

export type BranchMessage =
  | { readonly type: 'vote'; readonly vote: Vote }
  | { readonly type: 'acknowledge'; readonly decision: Decision; readonly outcome: BranchOutcome }
  /** Not finished yet; the asker must ask again. `forgotten`: no later answer will say more. */
  | {
      readonly type: 'not-yet';
      readonly decision: Decision;
      readonly reason: string;
      readonly forgotten?: true;
    };

export type BranchTimer = { readonly type: 'lease' } | { readonly type: 'cancel-lease' };

/**
 * The host must, in this order: cancel the lease where `timers` say so, for a session is not given up
 * while it is being prepared; perform `records` one by one, each with its answer; only then send
 * `messages`; then begin the lease that `timers` ask for.
 */
export interface BranchStep {
  readonly state: BranchState;
  readonly records: readonly BranchRecord[];
  readonly messages: readonly BranchMessage[];
  readonly timers: readonly BranchTimer[];
}

export const BRANCH_ABSENT: BranchState = { phase: 'absent' };
