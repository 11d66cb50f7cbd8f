/**
 * A live transaction: the machine's state plus everything that inspection wants to know and the
 * machine does not: operations, outputs, attempts, timeline, waiters. Volatile by design; what must
 * survive is in the register and in the participants' databases.
 */
import {
  TRANSACTION_BEGUN,
  invariant,
  makeBranchId,
  type AbortCause,
  type BranchId,
  type BranchOutcome,
  type Decision,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
  type TransactionState,
  type Vote,
} from '@concordat/protocol';
import type {
  BranchView,
  Clock,
  IdempotencyKey,
  OperationCall,
  Outputs,
  TimelineEvent,
  TraceContext,
  TransactionStatus,
  TransactionView,
} from './ports/index.js';

/** What the engine remembers of one branch besides the machine's state. */
export interface BranchMemory {
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  readonly work: 'bundled' | 'open';
  operations: OperationCall[];
  /** Calls of open work sent so far. */
  calls: number;
  instance?: InstanceId;
  vote?: Vote;
  outcome?: BranchOutcome;
  outputs: unknown[];
  attempts: number;
  lastError?: string;
  nextAttemptAtMs?: number;
  cancelRetry?: () => void;
  /** Calls to open work run one after another: the last of them. */
  tail: Promise<unknown>;
}

export interface TransactionFacts {
  readonly id: TransactionId;
  readonly owner: Incarnation;
  /** Absent where it was taken over and the register does not say. */
  readonly principal?: string;
  readonly label?: string;
  readonly timeoutMs: number;
  readonly idempotency?: IdempotencyKey;
  readonly trace?: TraceContext;
}

const TIMELINE_MAX = 200;

export class LiveTransaction {
  state: TransactionState = TRANSACTION_BEGUN;
  readonly memory = new Map<BranchId, BranchMemory>();
  readonly timeline: TimelineEvent[] = [];
  readonly begunAt: number;
  readonly begunAtMs: number;
  decidedAt?: number;
  decidedAtMs?: number;
  endedAtMs?: number;
  version = 1;
  /** Whether this incarnation took it over from a dead one. */
  adopted = false;
  cancelDeadline?: () => void;
  cancelCourtesy?: () => void;
  /** Steps whose records are being made durable, one after another. */
  forcing?: Promise<void>;
  /** True once every record of the last step is performed and `ended` may be told. */
  settled = false;
  /** Whether its decision and its end have been counted. */
  countedDecided = false;
  counted = false;
  notedVersion = 0;
  private readonly waiters = new Set<() => void>();
  private dropped = 0;

  constructor(
    readonly facts: TransactionFacts,
    private readonly clock: Clock,
  ) {
    this.begunAt = clock.now();
    this.begunAtMs = clock.wallNow();
  }

  get id(): TransactionId {
    return this.facts.id;
  }

  timeLeftMs(): number {
    return Math.max(0, this.begunAt + this.facts.timeoutMs - this.clock.now());
  }

  /** The memory of a participant's branch, if it has one. */
  branchOf(participant: ParticipantName): BranchMemory | undefined {
    for (const one of this.memory.values()) if (one.participant === participant) return one;
    return undefined;
  }

  remember(
    participant: ParticipantName,
    work: 'bundled' | 'open',
    known: { branch?: BranchId; operations?: readonly OperationCall[]; instance?: InstanceId } = {},
  ): BranchMemory {
    const branch = known.branch ?? makeBranchId(this.memory.size + 1);
    const memory: BranchMemory = {
      branch,
      participant,
      work,
      operations: [...(known.operations ?? [])],
      outputs: [],
      calls: 0,
      attempts: 0,
      tail: Promise.resolve(),
      ...(known.instance ? { instance: known.instance } : {}),
    };
    this.memory.set(branch, memory);
    return memory;
  }

  /** Nothing of them is sent any more: only the names of operations are kept. */
  forgetInputs(): void {
    for (const one of this.memory.values()) {
      one.operations = one.operations.map(({ name }) => ({ name, input: undefined }));
    }
  }

  /** The journal has them, or has lost them; nobody is waiting for them any more. */
  forgetOutputs(): void {
    for (const one of this.memory.values()) one.outputs = [];
  }

  recall(branch: BranchId): BranchMemory {
    const memory = this.memory.get(branch);
    invariant(memory !== undefined, `branch ${branch} of ${this.id} is not in memory`);
    return memory;
  }

  participants(): ParticipantName[] {
    return [...this.memory.values()].map((one) => one.participant);
  }

  /** Adds a line to the timeline and wakes everybody who waits for a change. */
  record(type: string, about: { branch?: BranchId; detail?: Record<string, unknown> } = {}): void {
    this.version += 1;
    const participant = about.branch && this.memory.get(about.branch)?.participant;
    const event: TimelineEvent = {
      sequence: this.timeline.length + this.dropped + 1,
      atMs: this.clock.wallNow(),
      type,
      ...(about.branch ? { branch: about.branch } : {}),
      ...(participant ? { participant } : {}),
      ...(about.detail ? { detail: about.detail } : {}),
    };
    // Bounded: the beginning tells the story, the end tells the present, retries in between go.
    if (this.timeline.length >= TIMELINE_MAX) {
      this.timeline.splice(TIMELINE_MAX / 2, 1);
      this.dropped += 1;
    }
    this.timeline.push(event);
  }

  wake(): void {
    for (const waiter of [...this.waiters]) waiter();
  }

  subscribe(waiter: () => void): () => void {
    this.waiters.add(waiter);
    return () => this.waiters.delete(waiter);
  }

  /** Whether a decision stands (or an abort is certain), so that a client may be told. */
  isDecided(): boolean {
    const { phase } = this.state;
    return phase === 'committing' || phase === 'aborting' || phase === 'ended';
  }

  isCompleted(): boolean {
    return this.state.phase === 'ended' && this.settled;
  }

  /**
   * Whether its end is in no decision of the register: an abort, which is presumed unless somebody made
   * it stand, or a commit whose votes were all read-only.
   */
  standsNowhere(): boolean {
    const { state } = this;
    if (state.phase !== 'ended') return false;
    if (state.decision === 'abort') return true;
    if (this.adopted) return false;
    return [...this.memory.values()].every((one) => one.vote?.kind !== 'prepared');
  }

  decision(): Decision | undefined {
    switch (this.state.phase) {
      case 'committing':
        return 'commit';
      case 'aborting':
        return 'abort';
      case 'ended':
        return this.state.decision;
      case 'active':
      case 'preparing':
      case 'deciding':
        return undefined;
    }
  }

  cause(): AbortCause | undefined {
    const { state } = this;
    return state.phase === 'aborting' || state.phase === 'ended' ? state.cause : undefined;
  }

  status(): TransactionStatus {
    const { state } = this;
    if (state.phase === 'ended') return state.outcome;
    if (state.phase === 'committing' || state.phase === 'aborting') {
      const { heuristics } = state;
      if (heuristics.some((one) => one.evidence.found !== 'unknown')) return 'heuristic-mixed';
      if (heuristics.length > 0) return 'heuristic-hazard';
    }
    return state.phase;
  }

  /** Outputs per participant, as a repeat of the request under the same key must get them again. */
  answer(): Record<string, Outputs> {
    const outputs: Record<string, Outputs> = {};
    for (const one of this.memory.values()) outputs[one.participant] = one.outputs;
    return outputs;
  }

  view(): TransactionView {
    const { facts, state } = this;
    const decision = this.decision();
    const cause = this.cause();
    return {
      transaction: facts.id,
      owner: facts.owner,
      ...(facts.principal !== undefined ? { principal: facts.principal } : {}),
      ...(facts.label !== undefined ? { label: facts.label } : {}),
      status: this.status(),
      ...(decision ? { decision } : {}),
      ...(state.phase === 'ended' ? { outcome: state.outcome } : {}),
      ...(cause ? { cause } : {}),
      timeoutMs: facts.timeoutMs,
      begunAtMs: this.begunAtMs,
      ...(this.decidedAtMs !== undefined ? { decidedAtMs: this.decidedAtMs } : {}),
      ...(this.endedAtMs !== undefined ? { endedAtMs: this.endedAtMs } : {}),
      ...(decision ? {} : { timeLeftMs: this.timeLeftMs() }),
      branches: [...this.memory.values()].map(branchView),
      timeline: [...this.timeline],
      version: this.version,
      ...(this.adopted ? { takenOver: true as const } : {}),
    };
  }
}

function branchView(one: BranchMemory): BranchView {
  return {
    branch: one.branch,
    participant: one.participant,
    work: one.work,
    operations: one.operations.map((call) => call.name),
    ...(one.vote ? { vote: one.vote } : {}),
    ...(one.outcome ? { outcome: one.outcome } : {}),
    ...(one.outputs.length > 0 ? { outputs: [...one.outputs] } : {}),
    attempts: one.attempts,
    ...(one.lastError !== undefined ? { lastError: one.lastError } : {}),
    ...(one.nextAttemptAtMs !== undefined ? { nextAttemptAtMs: one.nextAttemptAtMs } : {}),
  };
}
