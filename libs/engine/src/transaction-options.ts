/**
 * What a transaction manager is given, and what callers ask of it: ports, limits with their defaults,
 * requests. Limits bound memory and time; none of them ever discards or changes a decision.
 */
import type { ClusterId, Incarnation, ParticipantName } from '@concordat/protocol';
import type { Quota } from './asker-quotas.js';
import type { BeginLimitOptions } from './begin-limits.js';
import type { Liveness } from './liveness.js';
import type {
  Clock,
  DecisionRegister,
  Entropy,
  IdempotencyKey,
  HistoryWriter,
  OperationCall,
  ParticipantChannel,
  PrincipalMarks,
  TraceContext,
  TransactionHistory,
} from './ports/index.js';

export interface TransactionManagerPorts {
  readonly register: DecisionRegister;
  readonly channel: ParticipantChannel;
  readonly liveness: Liveness;
  readonly historyWriter: HistoryWriter;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** What was noted of transactions, where it is kept. */
  readonly history?: TransactionHistory;
  /** Says in each id whose the transaction is; without them ids say nothing. */
  readonly marks?: PrincipalMarks;
}

export interface TransactionManagerOptions extends BeginLimitOptions {
  readonly incarnation: Incarnation;
  readonly cluster: ClusterId;
  readonly timeoutMsDefault: number;
  readonly timeoutMsMax: number;
  /** How long open work may be idle before its instance gives it up. */
  readonly idleLeaseMs: number;
  /** How long one delivery of commit or abort waits for its answer. */
  readonly finishTimeoutMs: number;
  /** How long the branches of a presumed abort are notified; afterwards they inquire. */
  readonly abortNotificationMs: number;
  readonly branchesMax: number;
  /**
   * Whether a participant commits in one phase what it is the only participant of, when it is asked to (protocol
   * §4.6). Absent: nothing is asked for in one phase.
   */
  readonly inOnePhaseAt?: (participant: ParticipantName) => boolean;
  /** How long an ended transaction stays in memory for those who still ask here. */
  readonly afterglowMs: number;
  /** Aborts of unknown transactions that inquiries of one participant may have recorded here. */
  readonly abortsPerParticipant: Quota;
  /** Heuristic outcomes recorded here at the word of one participant. */
  readonly reportsPerParticipant: Quota;
}

export const TRANSACTION_MANAGER_DEFAULTS = {
  liveMax: 20_000,
  liveMaxPerPrincipal: 10_000,
  liveBytesMax: 268_435_456,
  liveBytesMaxPerPrincipal: 134_217_728,
  beginsPerPrincipal: { burst: 2_000, perSecond: 1_000 },
  timeoutMsDefault: 30_000,
  timeoutMsMax: 900_000,
  idleLeaseMs: 30_000,
  finishTimeoutMs: 5_000,
  abortNotificationMs: 300_000,
  branchesMax: 64,
  afterglowMs: 2_000,
  // As many at once as a participant may find in doubt after a crash; what is made up comes in streams.
  abortsPerParticipant: { burst: 10_000, perSecond: 10 },
  reportsPerParticipant: { burst: 1_000, perSecond: 10 },
} as const;

export interface BeginRequest {
  readonly principal: string;
  readonly label?: string;
  readonly timeoutMs?: number;
  readonly idempotency?: IdempotencyKey;
  readonly trace?: TraceContext;
  /** Of another attempt: when its client asked for the first, by the engine's clock. */
  readonly askedAt?: number;
}

export interface BranchRequest {
  readonly participant: ParticipantName;
  readonly operations: readonly OperationCall[];
}

/** `decided`: it will happen, durably · `completed`: every branch has acknowledged. */
export type Moment = 'decided' | 'completed';

export interface WaitFor {
  readonly until: Moment;
  readonly waitMs: number;
}

export interface TransactionCounters {
  begun: number;
  committed: number;
  aborted: number;
  heuristic: number;
  readOnly: number;
  /** Committed in one phase, of those that have committed. */
  onePhase: number;
  /** Attempts that followed one that had aborted. */
  triedAgain: number;
  /** Transactions that were prepared in order. */
  preparedInOrder: number;
  /** Attempts that gave way, though no cycle was seen, for one that is prepared in order. */
  restartedInOrder: number;
  registerRetries: number;
}
