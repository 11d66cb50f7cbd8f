/**
 * A vote: what a branch says when asked to prepare. Never a decision, never an outcome. Guards
 * protocol §4.2: a business refusal is a vote, not an error, and "no answer" is not a vote at all.
 */

export type Vote = { readonly kind: 'prepared' } | { readonly kind: 'read-only' } | VoteAgainst;

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
  slotsExhausted: 'PREPARED_SLOTS_EXHAUSTED',
  notPreparable: 'NOT_PREPARABLE',
  rolledBack: 'ROLLED_BACK',
  serialization: 'SERIALIZATION_FAILURE',
  deadlock: 'DEADLOCK',
  lockTimeout: 'LOCK_TIMEOUT',
  constraint: 'CONSTRAINT_VIOLATED',
  alreadyFinished: 'ALREADY_FINISHED',
  branchLost: 'BRANCH_LOST',
  leaseExpired: 'IDLE_LEASE_EXPIRED',
  unknownOperation: 'UNKNOWN_OPERATION',
  invalidInput: 'INVALID_INPUT',
  branchMisuse: 'BRANCH_MISUSE',
  handlerFailed: 'HANDLER_FAILED',
  resourceUnavailable: 'RESOURCE_UNAVAILABLE',
  shuttingDown: 'SHUTTING_DOWN',
} as const;

export type NoCode = (typeof NoCode)[keyof typeof NoCode];

export function voteNo(
  code: string,
  reason: string,
  options: { retryable?: boolean; details?: Readonly<Record<string, unknown>> } = {},
): VoteAgainst {
  const { retryable = false, details } = options;
  return { kind: 'no', code, reason, retryable, ...(details ? { details } : {}) };
}
