/**
 * The one place where a transaction's step is performed: force its records, only then send its messages, then
 * set its timers. Guards protocol §3 and §4: nothing is sent before what it depends on is durable, a register
 * call with an unknown result is repeated and never guessed, and the delivery of a commit on record is never
 * given up.
 *
 * Crash windows, in order:
 *   before the commit is forced     the branches are in doubt, inquire, and an abort is recorded
 *   forced, nothing sent            the decision is on record; a coordinator takes it over and sends
 *   sent to some                    the same; repeats are answered from the outcome row
 *   acknowledged, end not noted     one more round after the restart, answered from the outcome row
 */
import {
  InvariantViolation,
  PeerViolation,
  backoffMs,
  invariant,
  stepTransaction,
  voteNo,
  type AbortCause,
  type BranchId,
  type Incarnation,
  type InstanceId,
  type TransactionEvent,
  type TransactionId,
  type TransactionMessage,
  type TransactionRecord,
  type TransactionStep,
  type TransactionTimer,
} from '@concordat/protocol';
import type { BranchMemory, LiveTransaction } from './live-transaction.js';
import type { SilentBranch } from './lost-prepares.js';
import { pause } from './pause.js';
import {
  MessageTooLarge,
  RegisterUnknown,
  type Answer,
  type Clock,
  type Decided,
  type DecisionRegister,
  type Entropy,
  type FinishAnswer,
  type FinishRequest,
  type ParticipantChannel,
  type PrepareAnswer,
  type PrepareRequest,
} from './ports/index.js';

export interface PerformPorts {
  readonly register: DecisionRegister;
  readonly channel: ParticipantChannel;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export interface PerformOptions {
  readonly incarnation: Incarnation;
  readonly finishTimeoutMs: number;
  readonly abortNotificationMs: number;
}

/** Events for the manager; each call is made after the step is fully performed. */
export interface PerformListener {
  changed(live: LiveTransaction): void;
  /** Holds outputs; why not, when they do not fit into memory. */
  holdOutputs(live: LiveTransaction, outputs: readonly unknown[]): Error | undefined;
  registerRetried(): void;
  /** We are wrong. The process must stop; recovery is the repair. */
  broken(error: Error): void;
}

export class TransactionPerformer {
  private closed = false;

  constructor(
    private readonly ports: PerformPorts,
    private readonly options: PerformOptions,
    private readonly listener: PerformListener,
  ) {}

  /** Stops asking the register again; what is undecided stays so, and recovery settles it. */
  close(): void {
    this.closed = true;
  }

  /** Steps the machine with one event and performs what it returns. */
  apply(live: LiveTransaction, event: TransactionEvent): void {
    try {
      this.enact(live, stepTransaction(live.state, event));
    } catch (error) {
      this.refuseOrBreak(live, error);
    }
  }

  /** Performs a step that did not come from an event: a takeover. */
  enact(live: LiveTransaction, step: TransactionStep): void {
    live.advance(step.state);
    // Steps are performed in order: an end is never noted, and never reported, before the evidence of an
    // earlier step is durable.
    if (step.records.length === 0 && !(step.state.phase === 'ended' && live.isForcing())) {
      this.afterForce(live, step);
      return;
    }
    // Crash window: the records are not durable yet, so nothing of this step has left.
    live.inOrder(() =>
      this.force(live, step.records)
        .then((forced) => {
          if (forced) this.afterForce(live, step);
        })
        .catch((error: unknown) => this.refuseOrBreak(live, error)),
    );
  }

  private afterForce(live: LiveTransaction, step: TransactionStep): void {
    for (const message of step.messages) this.send(live, message);
    for (const timer of step.timers) this.setTimer(live, timer);
    live.settle(step.state);
    this.listener.changed(live);
    live.wake();
  }

  /** Holds outputs of open work, or gives the transaction up because they do not fit. */
  holdOutputs(live: LiveTransaction, memory: BranchMemory, outputs: readonly unknown[]): boolean {
    const heavy = this.listener.holdOutputs(live, outputs);
    if (heavy) this.giveUp(live, memory, heavy.message);
    return heavy === undefined;
  }

  /** Makes records durable, in order. False when the performer was closed before they were. */
  private async force(
    live: LiveTransaction,
    records: readonly TransactionRecord[],
  ): Promise<boolean> {
    for (const record of records) {
      switch (record.type) {
        case 'propose-commit': {
          live.propose();
          const decided = await this.untilKnown(() => this.propose(live, record));
          if (!decided) return false;
          this.apply(live, decidedEvent(decided));
          break;
        }
        case 'heuristic': {
          const { decision, branch } = record;
          const { id } = live;
          const done = await this.untilKnown(async () => {
            await this.ports.register.recordHeuristic(id, decision, branch);
            return true;
          });
          if (!done) return false;
          live.recall(branch.branch).outcome ??= { kind: 'heuristic', evidence: branch.evidence };
          live.record('heuristic', { branch: branch.branch, detail: { ...branch.evidence } });
          break;
        }
        case 'ended':
          invariant(live.decision() === 'commit', 'an end noted without a commit on record');
          this.ports.register.noteEnded(live.id, record.outcome, live.endsAfterMs());
          break;
      }
    }
    return true;
  }

  private async propose(
    live: LiveTransaction,
    record: Extract<TransactionRecord, { type: 'propose-commit' }>,
  ): Promise<Decided> {
    const { facts } = live;
    const { label, trace } = facts;
    const { register, clock } = this.ports;
    const askedAt = clock.now();
    const decided = await register.decide({
      transaction: live.id,
      proposed: 'commit',
      finisher: this.options.incarnation,
      ...(facts.principal !== undefined ? { principal: facts.principal } : {}),
      branches: record.branches,
      ...(facts.idempotency ? { idempotency: facts.idempotency, answer: live.answer() } : {}),
      ...(label !== undefined || trace ? { note: { label, trace } } : {}),
    });
    if (decided.kind === 'on-record') {
      live.stands(decided.standing, decided.byUs ? askedAt : undefined);
    }
    return decided;
  }

  /** Asks the register until it answers. An unknown result is never guessed and nothing is sent. */
  private async untilKnown<T>(ask: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; !this.closed; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof RegisterUnknown)) throw error;
        this.listener.registerRetried();
        const wait = backoffMs(attempt, this.ports.entropy.unit(), { baseMs: 20, capMs: 1_000 });
        await pause(this.ports.clock, wait);
      }
    }
    return undefined;
  }

  private send(live: LiveTransaction, message: TransactionMessage): void {
    const memory = live.recall(message.branch);
    assertMaySend(live, message);
    const sent =
      message.type === 'prepare'
        ? this.sendPrepare(live, memory)
        : this.sendFinish(live, memory, message.type);
    sent.catch((error: unknown) => this.refuseOrBreak(live, error));
  }

  private async sendPrepare(
    live: LiveTransaction,
    memory: BranchMemory,
    isAgain = false,
  ): Promise<void> {
    const { branch, participant, instance, work } = memory;
    memory.preparedAt = this.ports.clock.now();
    live.record('prepare-sent', { branch });
    const request: PrepareRequest = {
      to: { transaction: live.id, branch, participant, ...(instance ? { instance } : {}) },
      epoch: this.options.incarnation,
      ...(work === 'bundled' ? { operations: memory.operations } : { calls: memory.calls }),
      participants: live.participants(),
      timeLeftMs: live.timeLeftMs(),
      ageMs: live.ageMs(),
      ...(live.facts.trace ? { trace: live.facts.trace } : {}),
    };
    try {
      const answer = await this.ports.channel.prepare(request);
      // That the second did not arrive says nothing about the first.
      if (isAgain && answer.kind === 'no-responders') return;
      this.hearPrepare(live, memory, answer);
    } catch (error) {
      // Sizes are checked at begin; a broker that came back with a smaller limit proves non-delivery.
      if (!(error instanceof MessageTooLarge)) throw error;
      if (isAgain) return;
      memory.lastError = error.message;
      this.apply(live, { type: 'unreached', branch });
    }
  }

  /** Says a prepare again that did not arrive; one whose vote came meanwhile, or that is decided, stays as it is. */
  prepareAgain(live: LiveTransaction, branch: BranchId): void {
    const memory = live.memory.get(branch);
    if (!memory || !awaitsVote(live, memory)) return;
    this.sendPrepare(live, memory, true).catch((error: unknown) => this.refuseOrBreak(live, error));
  }

  private hearPrepare(
    live: LiveTransaction,
    memory: BranchMemory,
    answer: Answer<PrepareAnswer>,
  ): void {
    const { branch } = memory;
    switch (answer.kind) {
      case 'no-responders':
        live.record('unreached', { branch });
        memory.lastError = 'no instance of the participant is connected';
        this.apply(live, { type: 'unreached', branch });
        return;
      case 'no-answer':
        // Not a vote. The deadline turns a missing vote into an abort; nothing is sent again. If a vote can
        // no longer arrive there is nothing to wait for, and waiting would only hold the other branches'
        // locks.
        live.record('no-answer', { branch, detail: { why: answer.why } });
        memory.lastError = answer.why;
        if (answer.isLost) this.giveUp(live, memory, answer.why);
        return;
      case 'answered':
        break;
    }
    const said = answer.answer;
    if (said.kind === 'refused') {
      live.record('refused', { branch, detail: { code: said.code, reason: said.reason } });
      memory.lastError = said.reason;
      // A duplicate was refused: the true vote comes from where the first copy went.
      if (said.code === 'duplicate') return;
      const vote = voteNo(said.code, said.reason);
      memory.vote = vote;
      this.apply(live, { type: 'voted', branch, vote });
      return;
    }
    if (said.vote.kind === 'committed' && live.inOnePhase && !live.isDecided()) {
      // It is decided, even if another vote came before and its outputs are too heavy.
      const heavy = this.listener.holdOutputs(live, said.outputs);
      if (heavy) memory.lastError = heavy.message;
      else memory.outputs = [...said.outputs];
      memory.vote = said.vote;
      memory.outcome = { kind: 'committed' };
    } else if (memory.vote === undefined) {
      if (!this.holdOutputs(live, memory, said.outputs)) return;
      memory.vote = said.vote;
      if (said.outputs.length > 0) memory.outputs.push(...said.outputs);
      memory.instance ??= said.instance;
    }
    live.record('voted', { branch, detail: { vote: said.vote.kind } });
    this.apply(live, { type: 'voted', branch, vote: said.vote });
  }

  /**
   * Ends a transaction whose owner gives it up before it has proposed anything. What the branch has done is
   * not known here, and is not guessed: no vote is noted, so it gets an abort like the others.
   */
  private giveUp(
    live: LiveTransaction,
    { branch, participant }: BranchMemory,
    reason: string,
  ): void {
    live.record('given-up', { branch, detail: { reason } });
    const cause: AbortCause = { kind: 'given-up', branch, participant, reason };
    this.apply(live, { type: 'rollback-requested', cause });
  }

  private async sendFinish(
    live: LiveTransaction,
    memory: BranchMemory,
    type: 'commit' | 'abort' | 'settle',
  ): Promise<void> {
    const { branch, participant } = memory;
    memory.attempts += 1;
    memory.nextAttemptAtMs = undefined;
    live.record(`${type}-sent`, { branch, detail: { attempt: memory.attempts } });
    // First to the instance that has the branch in memory, so that it forgets it and its open work
    // ends at once; then to any, since every instance can finish what is in the database.
    const instance = memory.askedAt ?? (memory.attempts % 2 === 1 ? memory.instance : undefined);
    memory.askedAt = undefined;
    const request = (to: InstanceId | undefined): FinishRequest => ({
      to: { transaction: live.id, branch, participant, ...(to ? { instance: to } : {}) },
      epoch: this.options.incarnation,
      decision: type === 'commit' ? 'commit' : 'abort',
      timeLeftMs: this.options.finishTimeoutMs,
      ...(live.facts.trace ? { trace: live.facts.trace } : {}),
    });
    let answer = await this.ports.channel.finish(request(instance));
    if (instance && answer.kind === 'no-responders') {
      answer = await this.ports.channel.finish(request(undefined));
    }
    this.hearFinish(live, memory, answer);
  }

  private hearFinish(
    live: LiveTransaction,
    memory: BranchMemory,
    answer: Answer<FinishAnswer>,
  ): void {
    const { branch } = memory;
    if (answer.kind === 'answered' && answer.answer.kind === 'acknowledged') {
      const { outcome } = answer.answer;
      memory.outcome = outcome;
      memory.lastError = undefined;
      if (live.inOnePhase && outcome.kind === 'committed') committedAfterAll(memory);
      memory.cancelRetry?.();
      live.record('acknowledged', { branch, detail: { outcome: outcome.kind } });
      this.apply(live, { type: 'acknowledged', branch, outcome });
      return;
    }
    const reason = whyNot(answer);
    memory.lastError = reason;
    live.record('unanswered', { branch, detail: { why: reason } });
    const type = live.inOnePhase && isForgottenThere(answer) ? 'forgotten' : 'unanswered';
    this.apply(live, { type, branch, reason });
  }

  private setTimer(live: LiveTransaction, timer: TransactionTimer): void {
    switch (timer.type) {
      case 'cancel-deadline':
        live.cancelDeadline();
        return;
      case 'notification':
        live.awaitNotifications(
          this.ports.clock.after(this.options.abortNotificationMs, () =>
            this.apply(live, { type: 'notification-over' }),
          ),
        );
        return;
      case 'retry':
        this.scheduleRetry(live, timer.branch);
        return;
    }
  }

  private scheduleRetry(live: LiveTransaction, branch: BranchId): void {
    const memory = live.recall(branch);
    const wait = backoffMs(memory.attempts, this.ports.entropy.unit());
    memory.nextAttemptAtMs = this.ports.clock.wallNow() + wait;
    memory.cancelRetry?.();
    const cancel = this.ports.clock.after(wait, () => {
      memory.cancelRetry = undefined;
      this.apply(live, { type: 'retry-due', branch });
    });
    memory.cancelRetry = cancel;
  }

  /**
   * Ends a backoff early: an operator, or the participant itself, says that now is a good time; `at` is the
   * instance that asked about the branch.
   */
  retryNow(live: LiveTransaction, branch: BranchId, at?: InstanceId): void {
    const memory = live.recall(branch);
    if (!memory.cancelRetry) return;
    memory.askedAt = at;
    memory.cancelRetry();
    memory.cancelRetry = undefined;
    this.apply(live, { type: 'retry-due', branch });
  }

  private refuseOrBreak(live: LiveTransaction, error: unknown): void {
    if (error instanceof PeerViolation) {
      live.record('peer-violation', { detail: { reason: error.message } });
      return;
    }
    const broken = error instanceof Error ? error : new InvariantViolation(String(error));
    this.listener.broken(broken);
  }
}

/** The one that was made first of those that have not ended. */
export function oldestOf(all: Iterable<LiveTransaction>): TransactionId | undefined {
  let oldest: TransactionId | undefined;
  for (const { id, state } of all) {
    if (state.phase !== 'ended' && (oldest === undefined || id < oldest)) oldest = id;
  }
  return oldest;
}

/** Branches whose vote is out and was asked for so long ago. */
export function silentOf(
  all: Iterable<LiveTransaction>,
  { now, silentMs }: { readonly now: number; readonly silentMs: number },
): SilentBranch[] {
  const silent: SilentBranch[] = [];
  for (const live of all) {
    for (const memory of live.memory.values()) {
      const { branch, participant, instance, preparedAt = Infinity } = memory;
      const heldMs = now - preparedAt;
      if (heldMs < silentMs || !awaitsVote(live, memory)) continue;
      const where = { branch, participant, ...(instance ? { instance } : {}) };
      silent.push({ transaction: live.id, ...where, silentMs: heldMs });
    }
  }
  return silent;
}

/** Whether the vote of a branch that was asked for it is out. */
export function awaitsVote(live: LiveTransaction, memory: BranchMemory): boolean {
  const isAsked = memory.preparedAt !== undefined && memory.vote === undefined;
  return isAsked && live.state.phase === 'preparing';
}

/**
 * A commit is sent only when it is on record, an abort only when it is certain, a prepare only before both.
 */
function assertMaySend(live: LiveTransaction, { type }: TransactionMessage): void {
  const due = type === 'commit' || type === 'abort' ? type : undefined;
  const decision = live.decision();
  invariant(decision === due, `${type} sent while the decision is ${decision ?? 'open'}`);
}

function decidedEvent(decided: Decided): TransactionEvent {
  switch (decided.kind) {
    case 'on-record':
      return { type: 'decided', decision: decided.standing.decision };
    case 'key-taken':
      return {
        type: 'decided',
        decision: 'abort',
        cause: { kind: 'idempotency-key', winner: decided.holder.transaction },
      };
    case 'forgotten':
      return { type: 'decided', decision: 'abort' };
  }
}

/**
 * In one phase its row says what its vote did not. A no that was heard may be another copy's, which ran on what the one
 * that committed had done: its outputs are none of that one's.
 */
function committedAfterAll(memory: BranchMemory): void {
  if (memory.vote?.kind !== 'committed') memory.outputs = [];
  memory.vote = { kind: 'committed' };
}

/** Whether its participant will never say what it decided. */
function isForgottenThere(answer: Answer<FinishAnswer>): boolean {
  const said = answer.kind === 'answered' ? answer.answer : undefined;
  return said?.kind === 'not-yet' && said.forgotten === true;
}

function whyNot(answer: Answer<FinishAnswer>): string {
  switch (answer.kind) {
    case 'no-responders':
      return 'no instance of the participant is connected';
    case 'no-answer':
      return answer.why;
    case 'answered':
      return answer.answer.kind === 'acknowledged' ? '' : answer.answer.reason;
  }
}
