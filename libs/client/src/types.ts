/**
 * What travels over the coordinator's REST API, as types. Guards "additive fields, open enums": a
 * newer coordinator may say more, so nothing here is validated away and unknown values pass through.
 */

/** An enum that may grow: known values complete in an editor, others are allowed. */
export type Open<Known extends string> = Known | (string & Record<never, never>);

export type TransactionStatus = Open<
  | 'active'
  | 'preparing'
  | 'deciding'
  | 'committing'
  | 'aborting'
  | 'committed'
  | 'aborted'
  | 'heuristic-mixed'
  | 'heuristic-hazard'
  | 'undecided'
>;

export type Decision = 'commit' | 'abort';

/** `decided`: it will happen, durably · `completed`: every branch has acknowledged. */
export type Moment = 'decided' | 'completed';

export interface OperationRequest {
  /** The operation's name at its participant, e.g. `debit`. */
  readonly name: string;
  /** What it takes. Validated by the participant. */
  readonly input?: unknown;
}

export interface BranchRequest {
  /** The service that takes part, e.g. `ledger-east`. One branch per participant. */
  readonly participant: string;
  readonly operations: readonly OperationRequest[];
}

export interface Vote {
  readonly kind: Open<'prepared' | 'read-only' | 'no'>;
  readonly code?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface BranchOutcome {
  readonly kind: Open<'committed' | 'aborted' | 'heuristic'>;
  readonly evidence?: {
    readonly decision: Decision;
    readonly found: Open<'rolled-back' | 'missing' | 'committed' | 'unknown'>;
    readonly explanation: string;
  };
}

export interface BranchState {
  readonly branch: string;
  readonly participant: string;
  readonly work: Open<'bundled' | 'open'>;
  /** Names of the operations. Inputs are not kept. */
  readonly operations: readonly string[];
  readonly vote?: Vote;
  readonly outcome?: BranchOutcome;
  /** What the operations returned, in their order. */
  readonly outputs?: readonly unknown[];
  readonly attempts: number;
  readonly lastError?: string;
  readonly nextAttemptAt?: string;
  /** With one undecided transaction, of a branch that has not voted. No part of the version. */
  readonly waitsFor?: BranchWaits;
}

/** The locks that a branch waits for, as it was last reported. */
export interface BranchWaits {
  /** False: whether it waits is not known. */
  readonly known: boolean;
  /** When it was last reported. */
  readonly asOf?: string;
  readonly waits: readonly LockWait[];
}

export interface LockWait {
  /** As Postgres calls it; the place of a row is `(page,tuple)`. */
  readonly for: { readonly kind: string; readonly relation?: string; readonly row?: string };
  readonly since: string;
  /** Empty: who holds it is not seen, or the branch waits for its turn alone. */
  readonly heldBy: readonly LockHolder[];
  /** Those before it in the queue, where that is reported. */
  readonly ahead?: number;
  /** Its session was lent to others; it runs again in its turn. */
  readonly withoutSession?: true;
}

/** Holders of a lock. Viewers and operators see processes, applications, users and gids. */
export interface LockHolder {
  /** `prepared`: a prepared transaction that is no branch of this cluster. */
  readonly kind: Open<'branch' | 'session' | 'prepared'>;
  readonly transactionId?: string;
  readonly branch?: string;
  readonly prepared?: boolean;
  /** The transaction's, where the coordinator that answers knows it. */
  readonly status?: string;
  readonly pid?: number;
  readonly application?: string;
  readonly user?: string;
  readonly gid?: string;
}

/** Why a transaction aborted. For a vote: which branch said no, with its code and reason. */
export interface AbortCause {
  readonly kind: Open<
    | 'vote'
    | 'unreachable'
    | 'deadline'
    | 'rollback-requested'
    | 'doubtful-work'
    | 'given-up'
    | 'idempotency-key'
    | 'operator'
    | 'undetermined'
  >;
  readonly branch?: string;
  readonly participant?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Participants whose vote was missing at the deadline. */
  readonly missing?: readonly string[];
  /** The transaction that committed under the same idempotency key. */
  readonly winner?: string;
}

/** A transaction as the coordinator shows it. */
export interface Transaction {
  readonly transactionId: string;
  readonly label?: string;
  readonly principal?: string;
  readonly owner: string;
  readonly status: TransactionStatus;
  readonly decision?: Decision;
  readonly outcome?: Open<'committed' | 'aborted' | 'heuristic-mixed' | 'heuristic-hazard'>;
  readonly cause?: AbortCause;
  /** Transactions that have tried this request so far, this one included. */
  readonly attempts?: number;
  readonly timeoutMs?: number;
  readonly timeLeftMs?: number;
  /** ISO 8601, in milliseconds, like the two below: the same at every coordinator, now and later. */
  readonly begunAt?: string;
  readonly decidedAt?: string;
  readonly endedAt?: string;
  readonly resolved?: { readonly at: string; readonly by: string; readonly reason: string };
  readonly branches: readonly BranchState[];
  readonly version: number;
  readonly serverTime: string;
}

/** One line of a transaction's timeline. */
export interface TimelineEvent {
  readonly sequence: number;
  readonly at: string;
  readonly type: string;
  readonly branch?: string;
  readonly participant?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** RFC 9457 problem details as the coordinator sends them. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable; the coordinator's `/problems` lists all. */
  readonly code: string;
  /** What happened and what happens next. */
  readonly detail: string;
  readonly retryable: boolean;
  readonly transactionId?: string;
  readonly errors?: readonly FieldError[];
  readonly decision?: Decision;
  readonly cause?: AbortCause;
  /** Of a transaction in one call: transactions that have tried it. */
  readonly attempts?: number;
}
