/**
 * The coordinator's end of the channel to participants (protocol §8): at most once, may be late, may
 * be duplicated. Nothing durable depends on it. An implementation never re-sends by itself.
 */
import type {
  BranchId,
  BranchOutcome,
  Decision,
  Incarnation,
  InstanceId,
  ParticipantName,
  TransactionId,
  Vote,
} from '@concordat/protocol';
import type { Answer } from './answer.js';

export interface OperationCall {
  readonly name: string;
  readonly input: unknown;
}

/** Trace context as in W3C Trace Context: `traceparent`, `tracestate`. */
export type TraceContext = Readonly<Record<string, string>>;

/** To whom: any instance of a participant, or the one that holds an open branch. */
export interface BranchAddress {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  readonly instance?: InstanceId;
}

export interface WorkRequest {
  readonly to: BranchAddress;
  readonly epoch: Incarnation;
  /**
   * 1, 2, … within the branch. A message may be delivered twice; a call runs once, and a repeat gets
   * the first one's answer.
   */
  readonly call: number;
  readonly operations: readonly OperationCall[];
  /** Relative, from receipt. Never a wall-clock instant. */
  readonly timeLeftMs: number;
  /** How long the branch may be idle before its instance gives it up. */
  readonly idleLeaseMs: number;
  readonly ageMs?: number;
  readonly trace?: TraceContext;
}

export interface PrepareRequest {
  readonly to: BranchAddress;
  readonly epoch: Incarnation;
  /** Operations that travel with the prepare; absent for open work that is asked to prepare. */
  readonly operations?: readonly OperationCall[];
  /** Calls of open work so far: who knows of fewer has lost some. */
  readonly calls?: number;
  /** The names of all participants of the transaction. */
  readonly participants: readonly ParticipantName[];
  readonly timeLeftMs: number;
  /** How long ago its client asked for the transaction, earlier attempts included: the oldest goes first. */
  readonly ageMs?: number;
  readonly trace?: TraceContext;
}

export interface FinishRequest {
  readonly to: BranchAddress;
  readonly epoch: Incarnation;
  readonly decision: Decision;
  /** How long the sender waits for the answer. */
  readonly timeLeftMs: number;
  readonly trace?: TraceContext;
}

/** Outputs of the operations, in their order. */
export type Outputs = readonly unknown[];

export interface WorkAnswer {
  /** `done`: more may follow on this instance · `no`: the branch is rolled back and its vote is no. */
  readonly result:
    | { readonly kind: 'done'; readonly outputs: Outputs }
    | Extract<Vote, { kind: 'no' }>;
  readonly instance: InstanceId;
}

export type PrepareAnswer =
  | {
      readonly kind: 'vote';
      readonly vote: Vote;
      readonly outputs: Outputs;
      readonly instance: InstanceId;
    }
  /** Not a vote: a duplicate or an unreadable prepare was refused; the true vote is elsewhere. */
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

export type FinishAnswer =
  | { readonly kind: 'acknowledged'; readonly outcome: BranchOutcome }
  /**
   * Ask again: another session is finishing it, the database is away, … `forgotten`, in one phase: it is past the
   * participant's retention, and no later answer will say what became of it.
   */
  | { readonly kind: 'not-yet'; readonly reason: string; readonly forgotten?: true }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

/** The sizes that a message may have. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
  constructor(
    readonly bytes: number,
    readonly bytesMax: number,
    readonly participant: ParticipantName,
  ) {
    super(`the message to ${participant} has ${bytes} bytes; at most ${bytesMax} fit`);
  }
}

export abstract class ParticipantChannel {
  abstract work(request: WorkRequest): Promise<Answer<WorkAnswer>>;
  abstract prepare(request: PrepareRequest): Promise<Answer<PrepareAnswer>>;
  abstract finish(request: FinishRequest): Promise<Answer<FinishAnswer>>;
  /**
   * Whether a prepare fits surely whose operations weigh so much, see `weightOf`, whatever else it says:
   * then it need not be written out to know. False where that is not known.
   */
  fitsSurely(_weight: number): boolean {
    return false;
  }
  /** Throws {@link MessageTooLarge} when a message would not fit. Sends nothing. */
  abstract assertFits(request: PrepareRequest | WorkRequest): void;
}
