/**
 * A live transaction: the machine's state plus everything that inspection wants to know and the
 * machine does not: operations, outputs, attempts, timeline, waiters. Volatile by design; what must
 * survive is in the register and in the participants' databases.
 */
import {
  TRANSACTION_BEGUN,
  decidedAt,
  invariant,
  madeAtMs,
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
  AttemptFacts,
  BranchView,
  Clock,
  IdempotencyKey,
  OperationCall,
  Outputs,
  StandingDecision,
  TimelineEvent,
  TraceContext,
  TransactionStatus,
  TransactionView,
} from './ports/index.js';
import { Instants } from './instants.js';
import { Progress, type DecidedMoment } from './progress.js';

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
  /** When its prepare was sent, for the last time. */
  preparedAt?: number;
  lastError?: string;
  nextAttemptAtMs?: number;
  cancelRetry?: () => void;
  /** The instance that asked about it: the next finish is for that one. */
  askedAt?: InstanceId;
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
  /** Which try of its request it is, where it is not the first. */
  readonly attempt?: AttemptFacts;
  /** When its client asked for it, by the engine's clock, where it is not the first try. */
  readonly askedAt?: number;
  /** Its decision is on record and its finisher is dead: this incarnation finishes it. */
  readonly takenOver?: true;
}

const TIMELINE_MAX = 200;

export class LiveTransaction {
  readonly begunAt: number;
  readonly begunAtMs: number;
  private machine: TransactionState = TRANSACTION_BEGUN;
  private readonly progress: Progress;
  private readonly instants: Instants;
  private readonly branches = new Map<BranchId, BranchMemory>();
  private readonly timeline: TimelineEvent[] = [];
  private changes = 1;
  /** The last change that the history was given. */
  private noted = 0;
  private deadline?: () => void;
  private cancelNotifications?: () => void;
  /** Steps whose records are being made durable, one after another. */
  private forcing?: Promise<void>;
  private readonly waiters = new Set<() => void>();
  private dropped = 0;
  private decidingSinceMs?: number;

  constructor(
    readonly facts: TransactionFacts,
    private readonly clock: Clock,
  ) {
    this.begunAt = clock.now();
    // As every process reports it that has only the id.
    this.begunAtMs = madeAtMs(facts.id);
    this.instants = new Instants(clock);
    this.progress = new Progress(facts.takenOver === true);
  }

  get id(): TransactionId {
    return this.facts.id;
  }

  /** The machine's state. */
  get state(): TransactionState {
    return this.machine;
  }

  /** Grows with every change. */
  get version(): number {
    return this.changes;
  }

  get memory(): ReadonlyMap<BranchId, BranchMemory> {
    return this.branches;
  }

  /** Takes the machine's next state; a decision is noted when it falls. */
  advance(state: TransactionState): void {
    this.machine = state;
    if (isDeciding(state)) this.decidingSinceMs ??= this.clock.wallNow();
    const decision = this.decision();
    if (decision === undefined || this.progress.isDecided()) return;
    this.progress.decide(decision, this.instants.ofDecision());
    const cause = this.cause();
    this.record('decided', { detail: { decision, ...(cause ? { cause } : {}) } });
  }

  /**
   * Takes the decision on record, whose times are reported from now on. `askedAt`, by the monotonic clock, if
   * the request sent then has recorded it.
   */
  stands(standing: StandingDecision, askedAt?: number): void {
    this.instants.stands(standing, askedAt);
  }

  /** How many whole milliseconds after its decision it ends; the same whenever it is asked. */
  endsAfterMs(): number {
    return this.instants.endsAfterMs();
  }

  /** Takes note that its commit is about to be proposed: by its owner, and once. */
  propose(): void {
    const { phase } = this.machine;
    invariant(phase === 'deciding', `commit proposed while ${phase}`);
    this.progress.propose();
    this.record('proposed', { detail: { decision: 'commit' } });
  }

  /**
   * Takes note of the end that `reached` is, now that every record of it is durable. Does nothing when
   * that is not where the machine is, or when the end is known already.
   */
  settle(reached: TransactionState): void {
    if (reached.phase !== 'ended' || this.machine !== reached || this.isCompleted()) return;
    if (reached.decision === undefined) this.progress.settleUnknown(this.clock.wallNow());
    else this.progress.settle(reached.decision, this.instants.ofEnd());
    this.cancelNotifications?.();
    for (const memory of this.branches.values()) memory.cancelRetry?.();
    this.record('ended', { detail: { outcome: reached.outcome } });
  }

  /** When it was decided, for the one who counts decisions: once, then undefined. */
  countDecision(): DecidedMoment | undefined {
    return this.progress.countDecision();
  }

  /** Whether its end has to be counted now: true once. */
  countEnd(): boolean {
    return this.progress.countEnd();
  }

  /** Whether its only branch commits by itself, which is the decision (protocol §4.6). */
  get inOnePhase(): boolean {
    return decidedAt(this.id) !== undefined;
  }

  /** Whether this incarnation took it over from a dead one. */
  isTakenOver(): boolean {
    return this.progress.takenOver;
  }

  /** Performs a step after the steps before it. `perform` does not reject. */
  inOrder(perform: () => Promise<void>): void {
    const mine = (this.forcing ?? Promise.resolve()).then(perform);
    this.forcing = mine;
    void mine.then(() => {
      if (this.forcing === mine) this.forcing = undefined;
    });
  }

  /** Whether records of an earlier step are not durable yet. */
  isForcing(): boolean {
    return this.forcing !== undefined;
  }

  /** Takes what cancels the timer of its deadline. */
  awaitDeadline(cancel: () => void): void {
    this.deadline = cancel;
  }

  cancelDeadline(): void {
    this.deadline?.();
    this.deadline = undefined;
  }

  /** Takes the function that cancels the timer of the abort notifications; its end calls it. */
  awaitNotifications(cancel: () => void): void {
    this.cancelNotifications = cancel;
  }

  /** The view, if it has changed since the last call: what the history has to be given. */
  takeChanges(): TransactionView | undefined {
    if (this.noted === this.changes) return undefined;
    this.noted = this.changes;
    return this.view();
  }

  /** How long ago its client asked for it: with the attempts before it. */
  ageMs(): number {
    return Math.max(0, Math.floor(this.clock.now() - (this.facts.askedAt ?? this.begunAt)));
  }

  timeLeftMs(): number {
    return Math.max(0, this.begunAt + this.facts.timeoutMs - this.clock.now());
  }

  /** The memory of a participant's branch, if it has one. */
  branchOf(participant: ParticipantName): BranchMemory | undefined {
    for (const one of this.branches.values()) if (one.participant === participant) return one;
    return undefined;
  }

  remember(
    participant: ParticipantName,
    work: 'bundled' | 'open',
    known: { branch?: BranchId; operations?: readonly OperationCall[]; instance?: InstanceId } = {},
  ): BranchMemory {
    const branch = known.branch ?? makeBranchId(this.branches.size + 1);
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
    this.branches.set(branch, memory);
    return memory;
  }

  /** Takes back a branch that the machine never got to know. */
  unremember(branch: BranchId): void {
    this.branches.delete(branch);
  }

  /** Nothing of them is sent any more: only the names of operations are kept. */
  forgetInputs(): void {
    for (const one of this.branches.values()) {
      one.operations = one.operations.map(({ name }) => ({ name, input: undefined }));
    }
  }

  /** The history has them, or has lost them; no caller waits for them any more. */
  forgetOutputs(): void {
    for (const one of this.branches.values()) one.outputs = [];
  }

  recall(branch: BranchId): BranchMemory {
    const memory = this.branches.get(branch);
    invariant(memory !== undefined, `branch ${branch} of ${this.id} is not in memory`);
    return memory;
  }

  participants(): ParticipantName[] {
    return [...this.branches.values()].map((one) => one.participant);
  }

  /** Adds a line to the timeline and wakes all callers that wait for a change. */
  record(type: string, about: { branch?: BranchId; detail?: Record<string, unknown> } = {}): void {
    this.changes += 1;
    const participant = about.branch && this.branches.get(about.branch)?.participant;
    const event: TimelineEvent = {
      sequence: this.timeline.length + this.dropped + 1,
      atMs: this.clock.wallNow(),
      type,
      ...(about.branch ? { branch: about.branch } : {}),
      ...(participant ? { participant } : {}),
      ...(about.detail ? { detail: about.detail } : {}),
    };
    // Bounded: keeps the first and the latest entries, and drops retries in between.
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

  /** Whether a decision is on record (or an abort is certain), so that it may be returned to a client. */
  isDecided(): boolean {
    return this.progress.isDecided();
  }

  /** Whether it has ended and every record of that is durable, so that `ended` may be reported. */
  isCompleted(): boolean {
    return this.progress.isSettled();
  }

  /**
   * Whether its end is in no decision of the register: an abort, which is presumed unless an inquiry recorded
   * it, a commit whose votes were all read-only, a commit in one phase, or what no process knows.
   */
  standsNowhere(): boolean {
    const { state } = this;
    if (state.phase !== 'ended') return false;
    if (state.decision !== 'commit') return true;
    if (this.isTakenOver()) return false;
    return [...this.branches.values()].every((one) => one.vote?.kind !== 'prepared');
  }

  /** Whether it has committed, and that in one phase: not what wrote nothing. */
  hasCommittedInOnePhase(): boolean {
    const [only] = this.branches.values();
    return this.inOnePhase && this.decision() === 'commit' && only?.outcome?.kind === 'committed';
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
      case 'settling':
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
    return isDeciding(state) ? 'deciding' : state.phase;
  }

  /** Outputs per participant, as a repeat of the request under the same key must get them again. */
  answer(): Record<string, Outputs> {
    const outputs: Record<string, Outputs> = {};
    for (const one of this.branches.values()) outputs[one.participant] = one.outputs;
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
      ...(facts.attempt ? { attempt: facts.attempt } : {}),
      status: this.status(),
      ...(decision ? { decision } : {}),
      // Not before its evidence is durable: who learns of an end may rely on finding it on record.
      ...(state.phase === 'ended' && this.isCompleted() ? { outcome: state.outcome } : {}),
      ...(cause ? { cause } : {}),
      timeoutMs: facts.timeoutMs,
      begunAtMs: this.begunAtMs,
      ...(isDeciding(state) ? { decidingSinceMs: this.decidingSinceMs } : {}),
      ...this.progress.times(),
      ...(decision || state.phase === 'ended' ? {} : { timeLeftMs: this.timeLeftMs() }),
      branches: [...this.branches.values()].map(branchView),
      timeline: [...this.timeline],
      version: this.changes,
      ...(this.isTakenOver() ? { takenOver: true as const } : {}),
    };
  }
}

/** Whether it asks for its decision: at the register, or in one phase at its participant. */
function isDeciding(
  state: TransactionState,
): state is Extract<TransactionState, { phase: 'deciding' | 'settling' }> {
  return state.phase === 'deciding' || state.phase === 'settling';
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
