/**
 * The history: what inspection reads. Never forced, written in batches, and never asked by the
 * protocol: losing all of it changes no decision.
 */
import type {
  AbortCause,
  BranchId,
  BranchOutcome,
  Decision,
  Incarnation,
  ParticipantName,
  TransactionId,
  TransactionOutcome,
  Vote,
} from '@concordat/protocol';

/** What a person may see as the state of a transaction. */
export type TransactionStatus =
  | 'active'
  | 'preparing'
  | 'deciding'
  | 'committing'
  | 'aborting'
  | 'committed'
  | 'aborted'
  | 'heuristic-mixed'
  | 'heuristic-hazard';

export interface BranchView {
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  readonly work: 'bundled' | 'open';
  /** Names only; inputs concern the participant alone. */
  readonly operations: readonly string[];
  readonly vote?: Vote;
  readonly outcome?: BranchOutcome;
  readonly outputs?: readonly unknown[];
  /** Deliveries of commit or abort so far. */
  readonly attempts: number;
  readonly lastError?: string;
  /** Unix milliseconds of the next attempt, while one is scheduled. */
  readonly nextAttemptAtMs?: number;
}

/** One line of a transaction's timeline. */
export interface TimelineEvent {
  /** 1, 2, … within the transaction. */
  readonly sequence: number;
  readonly atMs: number;
  /** e.g. `begun`, `enlisted`, `prepare-sent`, `voted`, `decided`, `acknowledged`, `retry`, `ended`. */
  readonly type: string;
  readonly branch?: BranchId;
  readonly participant?: ParticipantName;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Which try of a request a transaction is, where it is not the first. */
export interface AttemptFacts {
  /** 2, 3, … */
  readonly number: number;
  readonly first: TransactionId;
  readonly previous: TransactionId;
}

export interface TransactionView {
  readonly transaction: TransactionId;
  readonly owner: Incarnation;
  /** Whose it is: the id of the key that began it. */
  readonly principal?: string;
  readonly label?: string;
  /** Absent for the first, or only, try of a request. */
  readonly attempt?: AttemptFacts;
  readonly status: TransactionStatus;
  readonly decision?: Decision;
  readonly outcome?: TransactionOutcome;
  readonly cause?: AbortCause;
  readonly timeoutMs: number;
  readonly begunAtMs: number;
  /**
   * While it is `deciding`: since when, in wall-clock milliseconds, it has asked for its decision, at the register or
   * at its participant. Absent where that was not noted.
   */
  readonly decidingSinceMs?: number;
  readonly decidedAtMs?: number;
  readonly endedAtMs?: number;
  /** Milliseconds until the deadline, while undecided. */
  readonly timeLeftMs?: number;
  readonly branches: readonly BranchView[];
  readonly timeline: readonly TimelineEvent[];
  /** Rises with every change: ETag and long-poll. */
  readonly version: number;
  /**
   * Taken over from a dead incarnation: label, begin and time-out are not known here, and
   * what the history already holds of them stays.
   */
  readonly takenOver?: true;
}

export abstract class HistoryWriter {
  /** Takes note of the current state of a transaction. Returns at once, never throws, may be lost. */
  abstract note(view: TransactionView): void;
}
