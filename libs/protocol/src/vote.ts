/**
 * A vote: what a branch says when asked to prepare. Never a decision, never an outcome. Guards
 * protocol §4.2: a business refusal is a vote, not an error, and "no answer" is not a vote at all.
 */

export type Vote =
  | { readonly kind: 'prepared' }
  | { readonly kind: 'read-only' }
  /** In one phase (protocol §4.6): the only branch has committed, and that is the decision. */
  | { readonly kind: 'committed' }
  | VoteAgainst;

export interface VoteAgainst {
  readonly kind: 'no';
  /** Stable upper-case code: a business code of the participant, or one of {@link NoCode}. */
  readonly code: string;
  /** One sentence for a person. */
  readonly reason: string;
  /** Whether the whole transaction, begun again under a new id, may succeed. */
  readonly retryable: boolean;
  /** What the participant wants the client to know, e.g. `{ account: 'alice' }`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Codes that the protocol itself gives; participants add their business codes. */
export const NoCode = {
  deadline: 'DEADLINE_PASSED',
  inDoubtLimit: 'IN_DOUBT_LIMIT',
  sessionsBusy: 'SESSIONS_BUSY',
  slotsBusy: 'SLOTS_BUSY',
  sessionRecalled: 'SESSION_RECALLED',
  overloaded: 'OVERLOADED',
  shuttingDown: 'SHUTTING_DOWN',
  slotsExhausted: 'PREPARED_SLOTS_EXHAUSTED',
  notPreparable: 'NOT_PREPARABLE',
  rolledBack: 'ROLLED_BACK',
  serialization: 'SERIALIZATION_FAILURE',
  deadlock: 'DEADLOCK',
  distributedDeadlock: 'DISTRIBUTED_DEADLOCK',
  restartedInOrder: 'RESTARTED_IN_ORDER',
  instanceLost: 'INSTANCE_LOST',
  markLost: 'MARK_LOST',
  lockTimeout: 'LOCK_TIMEOUT',
  constraint: 'CONSTRAINT_VIOLATED',
  dataException: 'DATA_EXCEPTION',
  raised: 'RAISED_BY_DATABASE',
  alreadyFinished: 'ALREADY_FINISHED',
  branchLost: 'BRANCH_LOST',
  leaseExpired: 'IDLE_LEASE_EXPIRED',
  unknownOperation: 'UNKNOWN_OPERATION',
  invalidInput: 'INVALID_INPUT',
  branchMisuse: 'BRANCH_MISUSE',
  handlerFailed: 'HANDLER_FAILED',
  outputsUnsendable: 'OUTPUTS_UNSENDABLE',
  resourceUnavailable: 'RESOURCE_UNAVAILABLE',
  resourceFault: 'RESOURCE_FAULT',
  internal: 'INTERNAL_ERROR',
} as const;

export type NoCode = (typeof NoCode)[keyof typeof NoCode];

/**
 * Whether the transaction, begun again as it is, may succeed: one answer per code, so that a program
 * can go by the code alone. `false` where a change is needed first, by the caller, by the service, or by the
 * operator of its database.
 */
export const RETRYABLE: Readonly<Record<NoCode, boolean>> = {
  DEADLINE_PASSED: true,
  IN_DOUBT_LIMIT: true,
  SESSIONS_BUSY: true,
  SLOTS_BUSY: true,
  SESSION_RECALLED: true,
  OVERLOADED: true,
  SHUTTING_DOWN: true,
  PREPARED_SLOTS_EXHAUSTED: true,
  NOT_PREPARABLE: false,
  ROLLED_BACK: false,
  SERIALIZATION_FAILURE: true,
  DEADLOCK: true,
  DISTRIBUTED_DEADLOCK: true,
  RESTARTED_IN_ORDER: true,
  INSTANCE_LOST: true,
  MARK_LOST: true,
  LOCK_TIMEOUT: true,
  CONSTRAINT_VIOLATED: false,
  DATA_EXCEPTION: false,
  RAISED_BY_DATABASE: false,
  ALREADY_FINISHED: false,
  BRANCH_LOST: true,
  IDLE_LEASE_EXPIRED: true,
  UNKNOWN_OPERATION: false,
  INVALID_INPUT: false,
  BRANCH_MISUSE: false,
  HANDLER_FAILED: false,
  OUTPUTS_UNSENDABLE: false,
  RESOURCE_UNAVAILABLE: true,
  RESOURCE_FAULT: false,
  INTERNAL_ERROR: false,
};

/**
 * Codes of a no that the same work, begun again under a new id, may well not meet: it lost to other
 * transactions, found no capacity, or met what its participant puts right at once. Other retryable causes need longer than a transaction lasts.
 */
export const WORTH_ANOTHER_TRY: ReadonlySet<string> = new Set<string>([
  NoCode.distributedDeadlock,
  NoCode.restartedInOrder,
  NoCode.instanceLost,
  NoCode.markLost,
  NoCode.deadlock,
  NoCode.serialization,
  NoCode.lockTimeout,
  NoCode.inDoubtLimit,
  NoCode.sessionsBusy,
  NoCode.slotsBusy,
  NoCode.sessionRecalled,
  NoCode.slotsExhausted,
  NoCode.overloaded,
  NoCode.shuttingDown,
]);

/** A no with a code of the protocol's own; the code says whether a retry can help. */
export function protocolNo(
  code: NoCode,
  reason: string,
  details?: Readonly<Record<string, unknown>>,
): VoteAgainst {
  return voteNo(code, reason, { retryable: RETRYABLE[code], ...(details ? { details } : {}) });
}

/** A no with any code. For a code of {@link NoCode} use {@link protocolNo}. */
export function voteNo(
  code: string,
  reason: string,
  options: { retryable?: boolean; details?: Readonly<Record<string, unknown>> } = {},
): VoteAgainst {
  const { retryable = false, details } = options;
  return { kind: 'no', code, reason, retryable, ...(details ? { details } : {}) };
}
