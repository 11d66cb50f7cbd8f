/**
 * The simulated register behind a gate that the story opens and shuts: away, holding calls back, or
 * losing an answer with or without its effect. What the register makes of a call is the simulated
 * register's own business; here are only the gate and the trace.
 */
import {
  DecisionRegister,
  RegisterUnknown,
  type Claimed,
  type Decided,
  type KeyClaim,
  type Proposal,
  type StandingDecision,
} from '@concordat/engine';
import {
  lowestTransactionIdAt,
  ownerOf,
  type Decision,
  type HeuristicBranch,
  type Incarnation,
  type TransactionId,
  type TransactionOutcome,
} from '@concordat/protocol';
import type { Host } from '../simulation/host.js';
import { SimulatedRegister, type RegisterStore } from '../simulation/simulated-register.js';
import { wallOf, type SteadyRandom } from './steady.js';
import type { Timeline } from '../simulation/timeline.js';
import type { Trace } from './trace.js';
import { decidedText, participantsOf } from './wording.js';

interface Held {
  readonly by: Host;
  readonly land: () => void;
  readonly lose: () => void;
}

/** What happens to calls on their way to the register, the same for all coordinators. */
export class RegisterGate {
  isDown = false;
  /** Labels of coordinators whose calls wait. */
  readonly holding = new Set<string>();
  held: Held[] = [];
  /** What becomes of the next write whose answer is to be lost. */
  nextAnswerLost?: 'landed' | 'not-landed';

  constructor(
    readonly store: RegisterStore,
    readonly timeline: Timeline,
    readonly random: SteadyRandom,
    readonly trace: Trace,
  ) {}

  /**
   * Prunes everything that has ended, as retention does in the end: below the low-water mark, which
   * is the oldest transaction that is live somewhere or not ended.
   */
  forget(live: readonly TransactionId[]): void {
    const now = lowestTransactionIdAt(wallOf(this.timeline) + 1);
    const mark = [...live, ...this.store.unended(), now].sort()[0] as TransactionId;
    this.store.prune(mark, Infinity);
    this.trace.say('register: everything that ended is past retention and forgotten');
  }

  /** Lets the held calls of a coordinator go on: to the register, or nowhere. */
  release(label: string, how: 'land' | 'lose'): number {
    const mine = this.held.filter((one) => one.by.node === label);
    this.held = this.held.filter((one) => one.by.node !== label);
    for (const one of mine) one[how]();
    return mine.length;
  }
}

export class GatedRegister extends DecisionRegister {
  private readonly inner: SimulatedRegister;

  constructor(
    private readonly gate: RegisterGate,
    private readonly owner: Host,
  ) {
    super();
    const { store, timeline, random } = gate;
    const faults = () => ({ unknown: 0, delayMsMax: 0 });
    // What was sent has its effect, also when its coordinator died meanwhile; only its caller is gone.
    this.inner = new SimulatedRegister(store, timeline, random, faults, () => true);
  }

  decide(proposal: Proposal): Promise<Decided> {
    const { trace } = this.gate;
    const { transaction, proposed, idempotency } = proposal;
    const name = trace.name(transaction);
    const to = proposed === 'commit' ? ` for ${participantsOf(proposal.branches)}` : '';
    const key = idempotency ? ` under key ${idempotency.key}` : '';
    return this.pass(
      `proposes ${proposed} of ${name}${to}${key}`,
      () => this.inner.decide(proposal),
      (decided) => decidedText(decided, trace),
    );
  }

  standing(transaction: TransactionId): Promise<StandingDecision | undefined> {
    return this.pass(
      `looks for a decision on ${this.gate.trace.name(transaction)}`,
      () => this.inner.standing(transaction),
      (standing) => standing?.decision ?? 'nothing',
    );
  }

  holderOf(key: string): Promise<StandingDecision | undefined> {
    return this.pass(
      `looks for a commit under key ${key}`,
      () => this.inner.holderOf(key),
      (holder) => (holder ? this.gate.trace.name(holder.transaction) : 'nothing'),
    );
  }

  claim(claim: KeyClaim, instead?: TransactionId): Promise<Claimed> {
    const { trace } = this.gate;
    const of = (claimant: TransactionId) => trace.name(ownerOf(claimant));
    const inPlace = instead ? ` instead of ${of(instead)}` : '';
    return this.pass(
      `claims key ${claim.key}${inPlace}`,
      () => this.inner.claim(claim, instead),
      (claimed) => {
        if (claimed.kind === 'stored')
          return `${trace.name(claimed.standing.transaction)} holds it`;
        const { claimant } = claimed.claim;
        return claimant === claim.claimant ? 'claimed' : `${of(claimant)} has claimed it`;
      },
    );
  }

  unclaim(claim: KeyClaim): void {
    this.pass(
      `gives key ${claim.key} back`,
      async () => this.inner.unclaim(claim),
      () => 'done',
    ).catch(() => undefined); // Lazy: a claim that stays is asked for once.
  }

  recordHeuristic(
    transaction: TransactionId,
    decision: Decision,
    heuristic: HeuristicBranch,
  ): Promise<void> {
    const { participant, evidence } = heuristic;
    const name = this.gate.trace.name(transaction);
    return this.pass(
      evidence.found === 'unknown'
        ? `records that what became of ${name} at ${participant} is not known`
        : `records that ${name} should ${decision} but ${participant} is ${evidence.found}`,
      () => this.inner.recordHeuristic(transaction, decision, heuristic),
      () => 'recorded',
    );
  }

  noteEnded(transaction: TransactionId, outcome: TransactionOutcome, afterMs: number): void {
    const { trace } = this.gate;
    this.pass(
      `notes that ${trace.name(transaction)} ended ${outcome}`,
      async () => this.inner.noteEnded(transaction, outcome, afterMs),
      () => 'noted',
    ).catch(() => undefined); // Lazy: losing it costs one repeated round.
  }

  unfinishedFinishers(): Promise<Incarnation[]> {
    return this.pass('looks for unfinished commits', () => this.inner.unfinishedFinishers());
  }

  claimUnfinished(from: Incarnation, to: Incarnation, limit: number): Promise<StandingDecision[]> {
    const { trace } = this.gate;
    return this.pass(
      `claims the unfinished commits of ${trace.name(from)}`,
      () => this.inner.claimUnfinished(from, to, limit),
      (claimed) => claimed.map((one) => trace.name(one.transaction)).join(', ') || 'nothing',
    );
  }

  oldestUnfinished(): Promise<TransactionId | undefined> {
    return this.pass('looks for the oldest unfinished commit', () => this.inner.oldestUnfinished());
  }

  /** Takes a call through the gate. Calls without words for their answer are shown only when lost. */
  private pass<T>(
    what: string,
    call: () => Promise<T>,
    answer?: (result: T) => string,
  ): Promise<T> {
    const { gate, owner } = this;
    const line = `register: ${owner.node} ${what}`;
    if (!owner.alive()) return new Promise(() => undefined);
    if (gate.isDown) {
      gate.trace.say(`${line} -> no answer, it is down`);
      return Promise.reject(new RegisterUnknown('it is down'));
    }
    if (gate.holding.has(owner.node) && answer) {
      gate.trace.say(`${line} (held)`);
      return new Promise((resolve, reject) => {
        const land = () => void this.perform(line, call, answer).then(resolve, reject);
        const lose = () => {
          gate.trace.say(`${line} -> no answer, it never arrived`);
          if (owner.alive()) reject(new RegisterUnknown('the connection was lost'));
        };
        gate.held.push({ by: owner, land, lose });
      });
    }
    const lost = answer ? gate.nextAnswerLost : undefined;
    if (lost === undefined) return this.perform(line, call, answer);
    gate.nextAnswerLost = undefined;
    return this.withoutAnswer(line, call, lost);
  }

  private async withoutAnswer<T>(
    line: string,
    call: () => Promise<T>,
    lost: 'landed' | 'not-landed',
  ): Promise<T> {
    if (lost === 'landed') await call();
    const fact = lost === 'landed' ? 'it happened' : 'it did not happen';
    this.gate.trace.say(`${line} -> the answer is lost (${fact})`);
    throw new RegisterUnknown('the connection was lost');
  }

  private async perform<T>(
    line: string,
    call: () => Promise<T>,
    answer?: (result: T) => string,
  ): Promise<T> {
    const result = await call();
    const isHeard = this.owner.alive();
    if (answer) {
      this.gate.trace.say(`${line} -> ${answer(result)}${isHeard ? '' : ', its caller is gone'}`);
    }
    return isHeard ? result : new Promise<T>(() => undefined);
  }
}
