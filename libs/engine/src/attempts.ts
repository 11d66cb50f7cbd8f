/**
 * A request that is one call, and the transactions that try it: an attempt that was aborted for what another
 * try may not meet (locks, serialization, admission) is followed by another one while the time lasts.
 * Guards "at most one attempt commits", with and without a key, whichever process crashes.
 *
 * Why it holds. Only the owner of a transaction proposes its commit, and all attempts have one owner, this
 * process. The next attempt begins when the machine of the one before says abort: from then on
 * nothing proposes that one's commit any more, and nothing ever did, or the register has said that it has
 * no effect. A missing vote is no abort: it ends the waiting time, not the attempt. A client's key is in
 * every attempt's proposal, so the register lets one of all attempts of all coordinators commit.
 *
 * Crash windows. The process dies between two attempts, or during a later one: the earlier attempts can never
 * commit, and the last one is like any transaction whose owner died. The client has no answer; its repeat
 * under the key finds the commit or begins again. No client knows the id of an attempt that was followed by
 * another: before an id is returned, no further attempt may follow ({@link Trial.conclude}).
 */
import {
  NoCode,
  backoffMs,
  decidedAt,
  isWorthAnotherTry,
  protocolNo,
  type AbortCause,
  type BranchId,
  type BackoffOptions,
  type PrepareOrder,
  type TransactionEvent,
  type TransactionId,
} from '@concordat/protocol';
import { voteMarginMs } from './admission.js';
import { Collisions, lostItsLocks, type PrepareChoice } from './collisions.js';
import type { BranchMemory, LiveTransaction } from './live-transaction.js';
import { untilHolds } from './moments.js';
import type { AttemptFacts, Clock, Entropy, TransactionView } from './ports/index.js';
import { Refusal } from './refusal.js';
import type {
  BeginRequest,
  BranchRequest,
  TransactionCounters,
  WaitFor,
} from './transaction-options.js';
import { outOfOrderAt } from './waits/out-of-order.js';
import { SeenFrom, type SeenWaits } from './waits/seen-waits.js';

/** Everything of a transaction in one call. */
export interface OneCall extends BeginRequest {
  readonly branches: readonly BranchRequest[];
  /** Whether it is tried again; true by default. */
  readonly retry?: boolean;
  /** `auto` by default. */
  readonly prepare?: PrepareChoice;
}

export type AttemptCounters = Pick<
  TransactionCounters,
  'triedAgain' | 'preparedInOrder' | 'restartedInOrder'
>;

/** What makes and starts transactions: the manager. */
export interface AttemptHost {
  /** Begins it with its branches and sends no prepare yet. Throws {@link Refusal}. */
  begin(call: OneCall, attempt?: AttemptFacts): LiveTransaction;
  apply(live: LiveTransaction, event: TransactionEvent): void;
  /** Whether attempts are begun at all. */
  admits(): boolean;
}

/** With less time than this, and what a branch keeps for its vote, nothing is tried. */
const LEFT_MS_MIN = 50;
/**
 * An attempt that lost to others is repeated soon, since they are about to end; one that found no session,
 * later.
 */
const AFTER_LOCKS = { baseMs: 10, capMs: 500 } as const satisfies BackoffOptions;
const AFTER_ADMISSION: BackoffOptions = { baseMs: 50, capMs: 1_000 };

/** What a request has begun, for the caller that waits for its answer. */
export interface BegunRequest {
  /** The transaction, the newest attempt of several. */
  readonly transaction: TransactionId;
  /** Resolves when it is decided and no other attempt follows. */
  ended(): Promise<void>;
  /** The same, or after so many milliseconds. */
  wait(waitMs: number): Promise<void>;
  /** From now on no attempt follows; the id of the last one, which may be returned. */
  conclude(): TransactionId;
}

/** One request and its attempts. */
export class Trial implements BegunRequest {
  private readonly over: Promise<void>;
  private end: () => void = () => undefined;
  private open: boolean;
  /** The time of all attempts together. */
  readonly wholeMs: number;
  /** When its first attempt began. */
  readonly askedAt: number;
  number = 1;
  /** How its attempts are prepared; in order to the end once one was in the way of others. */
  choice: PrepareChoice;
  /** How the last attempt was. */
  order: PrepareOrder | undefined;

  constructor(
    readonly call: OneCall,
    public live: LiveTransaction,
    private readonly clock: Clock,
  ) {
    this.open = call.retry ?? true;
    this.choice = call.prepare ?? 'auto';
    this.wholeMs = live.facts.timeoutMs;
    this.askedAt = live.begunAt;
    this.over = new Promise((resolve) => (this.end = resolve));
  }

  get transaction(): TransactionId {
    return this.live.id;
  }

  ended(): Promise<void> {
    return this.over;
  }

  wait(waitMs: number): Promise<void> {
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.clock.after(waitMs, resolve);
      void this.over.then(() => {
        cancel();
        resolve();
      });
    });
  }

  conclude(): TransactionId {
    this.open = false;
    return this.live.id;
  }

  mayGoOn(): boolean {
    return this.open;
  }

  /** The last attempt is decided. */
  close(): void {
    this.open = false;
    this.end();
  }
}

export class Attempts {
  private readonly trials = new Map<TransactionId, Trial>();
  private readonly count = { triedAgain: 0, preparedInOrder: 0, restartedInOrder: 0 };

  /** Where transactions have lately waited for each other. */
  readonly collisions: Collisions;

  constructor(
    private readonly ports: { readonly clock: Clock; readonly entropy: Entropy },
    private readonly host: AttemptHost,
  ) {
    this.collisions = new Collisions(ports.clock);
  }

  /** Begins and starts the first attempt. Throws {@link Refusal} before anything is begun. */
  launch(call: OneCall): Trial {
    const live = this.host.begin(call);
    const trial = new Trial(call, live, this.ports.clock);
    this.trials.set(live.id, trial);
    this.start(trial);
    return trial;
  }

  /** The same, until the moment asked for, or for so long: no other attempt follows after that. */
  async submit(call: OneCall, { until, waitMs }: WaitFor): Promise<TransactionView> {
    const { clock } = this.ports;
    const overAt = clock.now() + waitMs;
    const trial = this.launch(call);
    await trial.wait(waitMs);
    trial.conclude();
    await untilHolds(clock, trial.live, until, overAt - clock.now());
    return trial.live.view();
  }

  /** A transaction was decided, or has ended without a decision that any process knows; to be called once for each. */
  decided(live: LiveTransaction): void {
    const cause = live.cause();
    this.collisions.learn(cause, live.memory.values());
    const trial = this.trials.get(live.id);
    if (!trial) return;
    this.trials.delete(live.id);
    if (!this.triedAgain(trial, live, cause)) trial.close();
  }

  /**
   * Begins again in order what was asked all at once and is in the way of others, as `outOfOrderAt` says,
   * now that so much is known of waits. Crash windows: those of an abort, and of another attempt.
   */
  keepOrder({ waits, asked }: SeenWaits): void {
    const seen = new SeenFrom(waits);
    for (const trial of [...this.trials.values()]) {
      if (!this.mayRestart(trial)) continue;
      const { live } = trial;
      const at = outOfOrderAt({
        transaction: live.id,
        ageMs: this.ports.clock.now() - live.begunAt,
        asked: [...live.memory.values()].map(({ participant, vote }) => {
          const isHot = this.collisions.isHot(participant);
          const isWaitedFor =
            seen.isWaitedFor(live.id, participant) || (isHot && asked.has(live.id));
          return { participant, voted: vote !== undefined, isHot, isWaitedFor };
        }),
        waits: seen.waitsOf(live.id),
      });
      const missed = at && live.branchOf(at);
      if (!missed) continue;
      this.count.restartedInOrder += 1;
      trial.choice = 'ordered';
      this.host.apply(live, { type: 'rollback-requested', cause: restartedInOrder(missed) });
    }
  }

  /**
   * Begins again what waits for a vote of an instance that is gone. Its branch may be prepared all the same, and
   * is told to abort like the others. Crash windows: those of an abort, and of another attempt.
   */
  beginAnew(live: LiveTransaction, branch: BranchId): void {
    const trial = this.trials.get(live.id);
    const missed = live.memory.get(branch);
    if (!trial || !missed || missed.vote) return;
    if (!this.isFollowed(trial, backoffMs(trial.number, 1, AFTER_ADMISSION))) return;
    this.host.apply(live, { type: 'rollback-requested', cause: instanceLost(missed) });
  }

  counters(): AttemptCounters {
    return { ...this.count };
  }

  /** Only an attempt that is tried again: its client sees only the attempt that follows. */
  private mayRestart(trial: Trial): boolean {
    const { live, choice, order, wholeMs } = trial;
    if (choice !== 'auto' || order !== 'parallel') return false;
    return live.timeLeftMs() >= wholeMs / 2 && this.isFollowed(trial, AFTER_LOCKS.capMs);
  }

  /** Whether another attempt follows where the last one is aborted now. */
  private isFollowed(trial: Trial, pauseMsMax: number): boolean {
    const { live, wholeMs } = trial;
    const isOpen = live.state.phase === 'preparing' && trial.mayGoOn() && this.host.admits();
    return isOpen && live.timeLeftMs() > pauseMsMax + leastMs(wholeMs);
  }

  private triedAgain(trial: Trial, live: LiveTransaction, cause: AbortCause | undefined): boolean {
    if (!cause || live.decision() !== 'abort') return false; // Nothing follows what may commit.
    if (!trial.mayGoOn() || !isWorthAnotherTry(cause)) return false;
    const { clock, entropy } = this.ports;
    const isLocks = lostItsLocks(cause) || isOfItsDatabase(cause);
    const limits = isLocks ? AFTER_LOCKS : AFTER_ADMISSION;
    const pauseMs = backoffMs(trial.number, entropy.unit(), limits);
    const leftMs = Math.floor(live.timeLeftMs());
    if (leftMs < pauseMs + leastMs(trial.wholeMs)) return false;
    const number = trial.number + 1;
    const first = live.facts.attempt?.first ?? live.id;
    try {
      const call = { ...trial.call, timeoutMs: leftMs, askedAt: trial.askedAt };
      trial.live = this.host.begin(call, { number, first, previous: live.id });
    } catch (error) {
      if (error instanceof Refusal) return false; // No capacity now: the abort is the answer.
      throw error;
    }
    trial.number = number;
    this.count.triedAgain += 1;
    live.record('tried-again', { detail: { attempt: number, as: trial.live.id } });
    this.trials.set(trial.live.id, trial);
    // It is begun at once, so that what it carries is counted, and sends nothing before its pause is over.
    if (lostItsLocks(cause) && trial.choice === 'auto') trial.choice = 'ordered';
    clock.after(pauseMs, () => this.start(trial));
    return true;
  }

  private start(trial: Trial): void {
    const { live, call, choice } = trial;
    if (live.isDecided()) return; // It was rolled back during its pause.
    const order = this.collisions.orderFor(
      choice,
      call.branches.map((one) => one.participant),
    );
    trial.order = order;
    if (order === 'ordered') this.count.preparedInOrder += 1;
    const inOnePhase = decidedAt(live.id) !== undefined;
    this.host.apply(live, { type: 'prepare-requested', order, inOnePhase });
  }
}

/** What an attempt needs at least: a branch keeps some of its time for its vote. */
function leastMs(wholeMs: number): number {
  return voteMarginMs(wholeMs) + LEFT_MS_MIN;
}

/** The no that its owner gives in the stead of the branch whose vote is missed. */
function restartedInOrder({ branch, participant }: BranchMemory): AbortCause {
  const reason = `Asked at all its participants at once, it waits at ${participant} and is in the way of others: it is tried again, at one after another.`;
  const vote = protocolNo(NoCode.restartedInOrder, reason);
  return { kind: 'vote', branch, participant, vote };
}

/** The same where the instance that was asked for it is gone. */
function instanceLost({ branch, participant }: BranchMemory): AbortCause {
  const reason = `The instance of ${participant} that was asked to prepare is gone, and its vote with it: all that are there have started since.`;
  return { kind: 'vote', branch, participant, vote: protocolNo(NoCode.instanceLost, reason) };
}

/** Lost to another transaction of the same database. */
function isOfItsDatabase(cause: AbortCause): boolean {
  return cause.kind === 'vote' && ['DEADLOCK', 'SERIALIZATION_FAILURE'].includes(cause.vote.code);
}
