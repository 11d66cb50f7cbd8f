/**
 * The transaction manager: begins transactions, enlists branches, takes them through the two rounds
 * and answers what became of them. It owns the live ones; the register owns the truth. Guards
 * protocol §3 (only the owner proposes commit, once) and §5 (an inquiry never turns silence into
 * "abort" without recording the abort first).
 */
import {
  InvariantViolation,
  invariant,
  ownerOf,
  takeOver,
  type AbortCause,
  type BranchId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { Attempts, type AttemptCounters, type OneCall, type Trial } from './attempts.js';
import { BeginLimits, type LimitStatistics } from './begin-limits.js';
import { enlist } from './enlistment.js';
import { freshId } from './fresh-id.js';
import type { Question } from './inquirer.js';
import type { SilentBranch } from './lost-prepares.js';
import { Inquiries } from './inquiries.js';
import { LiveTransaction, type BranchMemory } from './live-transaction.js';
import { untilHolds, type Until } from './moments.js';
import { OpenWork } from './open-work.js';
import { OwedAnswers } from './owed-answers.js';
import { oldestOf, silentOf, TransactionPerformer } from './perform-transaction.js';
import { within } from './pause.js';
import {
  type AttemptFacts,
  type Enlistment,
  type EnlistmentAnswer,
  type HeuristicReport,
  type InquiryAnswer,
  type OperationCall,
  type StandingDecision,
  type TransactionView,
  type WaitingBranch,
} from './ports/index.js';
import { Reaper } from './reaper.js';
import { Refusal } from './refusal.js';
import {
  assertActive,
  assertAdmits,
  assertBranches,
  assertFits,
  assertRoom,
  onlyPlaceOf,
  timeoutOf,
} from './submit-checks.js';
import {
  TRANSACTION_MANAGER_DEFAULTS,
  type BeginRequest,
  type TransactionCounters,
  type TransactionManagerOptions,
  type TransactionManagerPorts,
  type WaitFor,
} from './transaction-options.js';
import { tally } from './tally.js';
import { UnprovenEnds } from './unproven-ends.js';
import type { SeenWaits } from './waits/seen-waits.js';
import { believesWait, mayGiveWay } from './waits/waiting-transaction.js';
import { weightOf } from './weight.js';

export class TransactionManager {
  private readonly transactions = new Map<TransactionId, LiveTransaction>();
  private readonly listeners = new Set<(view: TransactionView) => void>();
  private readonly decisionListeners = new Set<(durationMs: number) => void>();
  private readonly brokenListeners = new Set<(error: Error) => void>();
  private readonly options: TransactionManagerOptions;
  private readonly performer: TransactionPerformer;
  private readonly openWork: OpenWork;
  private readonly reaper: Reaper;
  private readonly inquiries: Inquiries;
  private readonly ends: UnprovenEnds;
  private readonly limits: BeginLimits;
  private readonly attempts: Attempts;
  private readonly owed = new OwedAnswers();
  private unended = 0;
  private admitting = true;
  private readonly count: Omit<TransactionCounters, keyof AttemptCounters> = {
    begun: 0,
    committed: 0,
    aborted: 0,
    heuristic: 0,
    readOnly: 0,
    onePhase: 0,
    registerRetries: 0,
  };

  constructor(
    private readonly ports: TransactionManagerPorts,
    options: Partial<TransactionManagerOptions> &
      Pick<TransactionManagerOptions, 'incarnation' | 'cluster'>,
  ) {
    this.options = { ...TRANSACTION_MANAGER_DEFAULTS, ...options };
    this.limits = new BeginLimits(ports.clock, this.options, () => this.reaper.forgetOne());
    this.performer = new TransactionPerformer(ports, this.options, {
      changed: (live) => this.changed(live),
      holdOutputs: (live, outputs) => this.limits.holdOutputs(live.id, outputs),
      registerRetried: () => void (this.count.registerRetries += 1),
      broken: (error) => this.break(error),
    });
    this.attempts = new Attempts(ports, {
      begin: (call, attempt) => this.beginCall(call, attempt),
      apply: (live, event) => this.performer.apply(live, event),
      admits: () => this.admitting,
    });
    this.inquiries = new Inquiries(ports, this.options);
    this.openWork = new OpenWork(ports.channel, this.performer, this.options);
    this.ends = new UnprovenEnds(ports.clock, ports.historyWriter, ports.history);
    const reaped = { transactions: this.transactions, kept: this.ends };
    this.reaper = new Reaper(ports.clock, ports.historyWriter, reaped, this.options, (id) =>
      this.limits.forgotten(id),
    );
  }

  /** An id of a form as transactions here have, under which nothing is begun. */
  spareId(principal: string): TransactionId {
    return freshId(this.ports, this.options.incarnation, principal, this.transactions);
  }

  /** Begins a transaction that branches can join one by one. Throws {@link Refusal}. */
  begin(request: BeginRequest): TransactionView {
    return this.create(request).view();
  }

  /**
   * The whole transaction in one call: work and prepare travel in one message, then the decision.
   * Resolves at the moment asked for, or after `waitMs` with the state at that time; until then it is
   * tried again. Throws {@link Refusal} before anything is begun.
   */
  submit(call: OneCall, wait: WaitFor): Promise<TransactionView> {
    return this.attempts.submit(call, wait);
  }

  /** Begins the same for somebody who waits for its attempts. Throws {@link Refusal}. */
  launch(call: OneCall): Trial {
    return this.attempts.launch(call);
  }

  /**
   * Runs operations in a participant's branch, opening it on first use. Throws {@link Refusal}:
   * `transaction-aborted` when the branch said no or its work is doubtful.
   */
  async work(
    id: TransactionId,
    participant: ParticipantName,
    operations: readonly OperationCall[],
  ): Promise<{ branch: BranchId; outputs: readonly unknown[] }> {
    const live = this.active(id);
    const bytes = this.limits.weighInputs(id, operations);
    let memory = live.branchOf(participant);
    if (!memory) {
      assertRoom(live.memory.size + 1, this.options);
      memory = live.remember(participant, 'open');
      this.openWork.assertFits(live, memory, operations);
      this.enlistBranch(live, memory);
    } else {
      this.openWork.assertFits(live, memory, operations);
    }
    this.limits.holdInputs(id, bytes);
    const outputs = await this.openWork.run(live, memory, operations);
    return { branch: memory.branch, outputs };
  }

  /** Answers a service that was called directly with a transaction context, before it does any work. */
  enlist(enlistment: Enlistment): EnlistmentAnswer {
    const live = this.transactions.get(enlistment.transaction);
    return enlist(live, enlistment, this.options, (memory) => {
      if (live) this.enlistBranch(live, memory);
    });
  }

  /**
   * Asks for the commit. Repeats are welcome: they wait for, and get, the same answer. Throws
   * {@link Refusal} for a transaction that is not live here.
   */
  async commit(id: TransactionId, wait: WaitFor): Promise<TransactionView> {
    const live = this.known(id);
    if (live.state.phase === 'active') {
      await Promise.all([...live.memory.values()].map((one) => one.tail));
      // The calls that were under way may have ended it: the machine takes the repeat as it is.
      this.performer.apply(live, { type: 'prepare-requested' });
    }
    return this.awaitMoment(live, wait);
  }

  /** Requests an abort. Throws {@link Refusal} `already-committed` when a commit is on record. */
  async rollback(id: TransactionId, reason: string, wait: WaitFor): Promise<TransactionView> {
    const live = this.known(id);
    const cause = { kind: 'rollback-requested', reason } as const;
    this.performer.apply(live, { type: 'rollback-requested', cause });
    if (live.state.phase === 'settling') this.retryNow(id); // Its participant is asked now, not later.
    const view = await this.awaitMoment(live, wait);
    if (live.decision() === 'commit') {
      throw new Refusal(
        'already-committed',
        'The decision to commit is on record and cannot be changed; every branch will be committed.',
        { view },
      );
    }
    return view;
  }

  /** Ends the backoff of one branch, or of all that wait: deliver the decision again now. */
  retryNow(id: TransactionId, branch?: BranchId): TransactionView {
    const live = this.known(id);
    for (const one of live.memory.keys())
      if (branch === undefined || branch === one) this.performer.retryNow(live, one);
    return live.view();
  }

  /** Takes over a commit on record of an incarnation that is not alive. */
  adopt(standing: StandingDecision): void {
    const { transaction: id, principal, trace } = standing;
    if (this.transactions.has(id)) return;
    const live = new LiveTransaction(
      { id, owner: this.options.incarnation, principal, timeoutMs: 0, trace, takenOver: true },
      this.ports.clock,
    );
    live.stands(standing);
    for (const { branch, participant, work } of standing.branches) {
      live.remember(participant, work, { branch });
    }
    this.transactions.set(live.id, live);
    this.unended += 1;
    live.record('taken-over', { detail: { from: ownerOf(live.id) } });
    this.performer.enact(live, takeOver(standing.branches, standing.heuristics));
  }

  view(id: TransactionId): TransactionView | undefined {
    return this.transactions.get(id)?.view();
  }

  /** The trace context that it was begun with, of what is in memory. */
  traceOf(id: TransactionId): LiveTransaction['facts']['trace'] {
    return this.transactions.get(id)?.facts.trace;
  }

  /** Views of everything in memory, ended transactions included. */
  *live(): Iterable<TransactionView> {
    for (const live of this.transactions.values()) yield live.view();
  }

  /**
   * Resolves with the view once `until` holds, or after `waitMs` with what is true then; undefined
   * when the transaction is not live here.
   */
  async wait(
    id: TransactionId,
    until: Until,
    waitMs: number,
  ): Promise<TransactionView | undefined> {
    const live = this.transactions.get(id);
    if (!live) return undefined;
    await untilHolds(this.ports.clock, live, until, waitMs);
    return live.view();
  }

  /** Calls the listener with the view after every performed step; costs nothing without a listener. */
  onChange(listener: (view: TransactionView) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls the listener with the milliseconds from begin to decision of each transaction. */
  onDecided(listener: (durationMs: number) => void): () => void {
    this.decisionListeners.add(listener);
    return () => this.decisionListeners.delete(listener);
  }

  /** Calls the listener when an invariant broke: the process must stop, recovery repairs. */
  onBroken(listener: (error: Error) => void): () => void {
    this.brokenListeners.add(listener);
    return () => this.brokenListeners.delete(listener);
  }

  /**
   * What became of a transaction, for a process in doubt (protocol §5). An external asker may get
   * `NotBelieved` or a {@link Refusal}: it keeps what it has and asks again later.
   */
  async inquire(question: Question): Promise<InquiryAnswer> {
    const live = this.transactions.get(question.transaction);
    const answer = await this.unbroken(this.inquiries.answer(question, live));
    const isTold = live !== undefined && answer.kind === 'decided';
    if (isTold) this.nudge(live, question.participant, question.asker?.instance);
    return answer;
  }

  /**
   * Records a heuristic outcome that a participant reports, durably, if what is known here bears it
   * out. Throws `NotBelieved`, or a {@link Refusal} or `RegisterUnknown`: then it reports again.
   */
  async recordReported(report: HeuristicReport): Promise<{ readonly recorded: true }> {
    await this.unbroken(this.inquiries.report(report, this.transactions.get(report.transaction)));
    return { recorded: true };
  }

  /** Records a heuristic outcome that an operator was shown. Rejects with `RegisterUnknown`. */
  async recordFound({ transaction, ...heuristic }: HeuristicReport): Promise<void> {
    await this.ports.register.recordHeuristic(transaction, heuristic.evidence.decision, heuristic);
  }

  /**
   * Whether others must leave it alone: it has not ended here, or it has committed without writing
   * anything and only this memory says so yet.
   */
  isLive(id: TransactionId): boolean {
    const live = this.transactions.get(id);
    if (!live) return false;
    return live.state.phase !== 'ended' || (live.decision() === 'commit' && this.ends.has(id));
  }

  /**
   * Checks whether ends that are only in the history are on record, and notes missing ones again. Call it
   * periodically. Rejects with `RegisterUnknown`.
   */
  proveEnds(): Promise<void> {
    return this.ends.prove();
  }

  /** Whether a branch of ours waits where it is said to; it is known from then on where it lives. */
  believesWait(wait: WaitingBranch): boolean {
    const isBelieved = believesWait(this.transactions.get(wait.transaction), wait);
    if (isBelieved) this.attempts.collisions.noted(wait.participant);
    return isBelieved;
  }

  /** Aborts a transaction of ours in a cycle of waits; false, and nothing is done, if it cannot be. */
  breakDeadlock(id: TransactionId, cause: AbortCause): boolean {
    const live = this.transactions.get(id);
    if (!live || !mayGiveWay(live)) return false;
    this.performer.apply(live, { type: 'rollback-requested', cause });
    return live.decision() === 'abort' || live.state.phase === 'settling';
  }

  /** Begins again in order what is in the way of others, now that so much is known of waits. */
  keepOrder(seen: SeenWaits): void {
    this.attempts.keepOrder(seen);
  }

  /** Branches whose vote has been awaited for so long. */
  silentBranches(silentMs: number): SilentBranch[] {
    return silentOf(this.transactions.values(), { now: this.ports.clock.now(), silentMs });
  }

  lost({ transaction, branch }: SilentBranch, withItsInstance: boolean): void {
    const live = this.transactions.get(transaction);
    if (live && withItsInstance) this.attempts.beginAnew(live, branch);
    else if (live) this.performer.prepareAgain(live, branch);
  }

  oldestLive(): TransactionId | undefined {
    return oldestOf(this.transactions.values());
  }

  liveCount(): number {
    return this.unended;
  }

  counters(): TransactionCounters {
    return { ...this.count, ...this.attempts.counters() };
  }

  /** What live transactions carry, and what was refused because of a limit. */
  limitStatistics(): LimitStatistics {
    return this.limits.statistics();
  }

  /** Stops admitting; resolves when every live transaction has ended, or when `waitMs` is over. */
  async drain(waitMs: number): Promise<void> {
    this.admitting = false;
    const ended = new Promise<void>((resolve) => {
      const check = () => {
        if (this.unended === 0) resolve();
      };
      this.listeners.add(check);
      check();
    });
    await within(this.ports.clock, waitMs, ended, undefined);
    this.performer.close();
    this.reaper.stop();
  }

  private beginCall(call: OneCall, attempt: AttemptFacts | undefined): LiveTransaction {
    const { branches } = call;
    assertBranches(branches, this.options);
    const check = (made: LiveTransaction, weight: number): void =>
      assertFits(this.ports.channel, made.id, branches, weight, this.options);
    const live = this.create(call, branches, { check, ...(attempt ? { attempt } : {}) });
    for (const { participant, operations } of branches) {
      this.enlistBranch(live, live.remember(participant, 'bundled', { operations }));
    }
    return live;
  }

  private create(
    request: BeginRequest,
    branches: OneCall['branches'] = [],
    more: { check?: (live: LiveTransaction, weight: number) => void; attempt?: AttemptFacts } = {},
  ): LiveTransaction {
    const { incarnation } = this.options;
    assertAdmits(this.admitting);
    const timeoutMs = timeoutOf(request, this.options);
    const { clock } = this.ports;
    const { principal, label, idempotency, trace, askedAt } = request;
    const inputs = branches.length === 0 ? 0 : weightOf(branches);
    const { attempt } = more;
    if (attempt) this.limits.assertRoom(principal, inputs, this.unended);
    else this.limits.assertMayBegin(principal, inputs, this.unended);
    const place = this.owed.unlessOwed(onlyPlaceOf(request, branches, this.options));
    const id = freshId(this.ports, incarnation, principal, this.transactions, place);
    const live = new LiveTransaction(
      { id, owner: incarnation, principal, label, timeoutMs, idempotency, trace, attempt, askedAt },
      clock,
    );
    more.check?.(live, inputs);
    live.record('begun', { detail: { timeoutMs, ...(attempt ? { attempt } : {}) } });
    live.awaitDeadline(
      clock.after(timeoutMs, () => this.performer.apply(live, { type: 'deadline-passed' })),
    );
    this.transactions.set(id, live);
    this.unended += 1;
    this.limits.begun(id, principal, inputs);
    this.count.begun += 1;
    return live;
  }

  private enlistBranch(live: LiveTransaction, memory: BranchMemory): void {
    const { branch, participant, work } = memory;
    live.record('enlisted', { branch });
    this.performer.apply(live, { type: 'enlisted', branch: { branch, participant, work } });
  }

  private known(id: TransactionId): LiveTransaction {
    const live = this.transactions.get(id);
    if (live) return live;
    throw new Refusal('unknown-transaction', 'It is not live at this coordinator.');
  }

  private active(id: TransactionId): LiveTransaction {
    const live = this.known(id);
    assertActive(live);
    return live;
  }

  private async awaitMoment(live: LiveTransaction, { until, waitMs }: WaitFor) {
    await untilHolds(this.ports.clock, live, until, waitMs);
    return live.view();
  }

  /** The participant is back and asks: its turn need not wait for the backoff. */
  private nudge(live: LiveTransaction, by?: ParticipantName, at?: InstanceId): void {
    const memory = by && live.branchOf(by);
    if (!memory) return;
    // The instance that finishes the branch by itself now is told to: it does so once and says it.
    if (at !== undefined) return this.performer.retryNow(live, memory.branch, at);
    // Another instance would meet it at work: a moment later it is done and only has to be said.
    this.ports.clock.after(50, () => this.performer.retryNow(live, memory.branch));
  }

  private changed(live: LiveTransaction): void {
    const decided = live.countDecision();
    if (this.owed.note(live) || decided) {
      live.forgetInputs(); // Nothing of them is sent any more.
      this.limits.decided(live.id);
    }
    if (decided && !live.isTakenOver()) {
      for (const tell of this.decisionListeners) tell(decided.at - live.begunAt);
    }
    const hasEnded = live.countEnd();
    if (decided || (hasEnded && !live.isDecided())) this.attempts.decided(live);
    if (hasEnded) {
      this.unended -= 1;
      invariant(this.unended >= 0, 'more transactions have ended than were begun');
      tally(this.count, live);
      this.ends.ended(live);
      this.reaper.ended(live);
    }
    for (const listener of this.listeners) listener(live.view());
  }

  /** An assertion that fails while others are answered is our defect as much as one in a step. */
  private async unbroken<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof InvariantViolation) this.break(error);
      throw error;
    }
  }

  private break(error: Error): void {
    for (const listener of this.brokenListeners) listener(error);
    if (this.brokenListeners.size === 0) throw error;
  }
}
