/**
 * The simulated register: permanently durable, slow, and at times its answer is lost, with or without its
 * effect. It fails over: then everything under way at the old primary is lost, with its effect where the
 * standby had it already, and so are notes that no caller waited for. What was answered is
 * never lost, since an effect is seen and answered only once the synchronous standby has it.
 */
import {
  DecisionRegister,
  assertMayPropose,
  type Claimed,
  type Decided,
  type KeyClaim,
  type Proposal,
  type StandingDecision,
} from '@concordat/engine';
import {
  decidedAt,
  lowestTransactionIdAt,
  transactionOutcome,
  type Decision,
  type HeuristicBranch,
  type Incarnation,
  type TransactionId,
  type TransactionOutcome,
} from '@concordat/protocol';
import { History } from './history.js';
import type { Random } from './random.js';
import { SimulatedConnection, type RegisterFaults } from './simulated-connection.js';
import type { Admit, Timeline } from './timeline.js';

type Row = {
  -readonly [Key in keyof StandingDecision]: StandingDecision[Key];
};

/** An unforced write reaches the standby after so long at the latest (three turns of the WAL writer). */
export const UNFORCED_MS = 600;
/** How long a note waits before it is written again: as the Postgres register does. */
const NOTE_RETRY_MS = 500;

interface Note {
  readonly transaction: TransactionId;
  readonly outcome: TransactionOutcome;
  readonly afterMs: number;
}

/** What is durable: shared by all coordinators, untouched by any crash. */
export class RegisterStore {
  readonly rows = new Map<TransactionId, Row>();
  readonly keys = new Map<string, TransactionId>();
  /** Who runs what under which key: never forced, and gone with the primary. */
  readonly claims = new Map<string, KeyClaim>();
  /** Every decision ever recorded, in order: for the checkers. */
  readonly history: { transaction: TransactionId; decision: Decision; at: number }[] = [];
  /** Rises with every failover: what was under way before it is lost. */
  term = 1;
  isUp = true;
  /** Nothing below this mark is ever decided again. */
  mark = '' as TransactionId;
  /** What its participant has forgotten, in one phase: recorded without a decision. */
  readonly neverKnown = new Map<TransactionId, HeuristicBranch>();
  /** What was pruned, for the checkers. */
  readonly pruned = new Map<TransactionId, Row>();
  /** Ends noted without forcing them, which a failover may lose. */
  private unforced: { readonly row: Row; readonly at: number }[] = [];

  /**
   * `whenEnded` is called with every commit at the moment from which it may be pruned, `whenMarked` with
   * every mark before anything goes.
   */
  constructor(
    readonly whenEnded: (row: StandingDecision) => void = () => undefined,
    readonly whenMarked: (mark: TransactionId) => void = () => undefined,
  ) {}

  /** The primary dies at `now`; says how many unforced notes died with it. */
  failOver(now: number, isLost: () => boolean): number {
    this.isUp = false;
    this.term += 1;
    const lost = this.unforced.filter((one) => now - one.at < UNFORCED_MS && isLost());
    for (const { row } of lost) row.endedAtMs = undefined;
    this.unforced = [];
    this.claims.clear();
    return lost.length;
  }

  /** The standby is promoted. */
  comeBack(): void {
    this.isUp = true;
  }

  /** `afterMs` the decision, as who finished it says, and never more than a second from now. */
  noteEnded(row: Row, now: number, afterMs: number): void {
    row.endedAtMs = Math.min(row.decidedAtMs + afterMs, now + 1_000);
    this.unforced.push({ row, at: now });
  }

  isForgotten(transaction: TransactionId): boolean {
    return transaction < this.mark && !this.rows.has(transaction);
  }

  /** Every decision that is on record or was pruned. */
  everDecided(transaction: TransactionId): Row | undefined {
    return this.rows.get(transaction) ?? this.pruned.get(transaction);
  }

  /** Commits that have not ended. */
  unended(): TransactionId[] {
    return [...this.rows.values()]
      .filter((row) => row.endedAtMs === undefined)
      .map((row) => row.transaction)
      .sort();
  }

  /** Raises the mark, then deletes what is below it and has ended at `endedBefore` at the latest. */
  prune(
    to: TransactionId,
    endedBefore: number,
  ): { readonly below: TransactionId; readonly decisions: number } {
    if (to > this.mark) {
      this.mark = to;
      this.whenMarked(to);
    }
    let decisions = 0;
    for (const [transaction, row] of this.rows) {
      if (transaction >= this.mark || row.endedAtMs === undefined) continue;
      if (row.endedAtMs > endedBefore || row.heuristics.length > 0) continue;
      this.rows.delete(transaction);
      this.pruned.set(transaction, row);
      decisions += 1;
    }
    return { below: this.mark, decisions };
  }

  /** Prunes what has ended before `unixMs` and before the oldest that has not; the mark comes first. */
  forget(unixMs: number): void {
    const unended = [...this.rows.values()].filter((row) => row.endedAtMs === undefined);
    const marks = [lowestTransactionIdAt(unixMs), ...unended.map((row) => row.transaction)];
    this.mark = marks.reduce((a, b) => (a < b ? a : b));
    for (const [transaction, row] of this.rows) {
      if (transaction >= this.mark || row.endedAtMs === undefined) continue;
      if (row.heuristics.length > 0) continue;
      this.rows.delete(transaction);
      if (row.idempotency) this.keys.delete(row.idempotency.key);
    }
  }
}

/** One coordinator's connection to the register. */
export class SimulatedRegister extends DecisionRegister {
  private readonly connection: SimulatedConnection;

  constructor(
    private readonly store: RegisterStore,
    private readonly timeline: Timeline,
    private readonly random: Random,
    faults: () => RegisterFaults,
    private readonly alive: () => boolean,
    admit: Admit = (task) => {
      if (alive()) task();
    },
    private readonly history = new History(),
  ) {
    super();
    this.connection = new SimulatedConnection(store, timeline, random, faults, admit, history);
  }

  async decide(proposal: Proposal): Promise<Decided> {
    const decided = await this.propose(proposal);
    if (decided.kind === 'on-record') {
      const { transaction, decision } = decided.standing;
      this.history.acknowledged.set(transaction, decision);
      if (decision !== proposal.proposed) this.history.count('losingProposals');
    }
    return decided;
  }

  private propose(proposal: Proposal): Promise<Decided> {
    assertMayPropose(proposal);
    return this.connection.call(() => {
      const { transaction, proposed, idempotency } = proposal;
      // What a participant has committed in one phase is true at any age.
      const isTrue = proposal.isCopy === true && proposed === 'commit';
      if (!isTrue && this.store.isForgotten(transaction)) return { kind: 'forgotten' };
      const standing = this.store.rows.get(transaction);
      if (standing) return { kind: 'on-record', standing, byUs: false };
      const holder = idempotency && this.store.keys.get(idempotency.key);
      if (holder && proposed === 'commit') {
        return { kind: 'key-taken', holder: this.store.rows.get(holder) as StandingDecision };
      }
      const row: Row = {
        transaction,
        decision: proposed,
        branches: proposed === 'commit' ? proposal.branches : [],
        finisher: proposal.finisher,
        ...(proposal.principal === undefined ? {} : { principal: proposal.principal }),
        ...(proposal.note?.trace ? { trace: proposal.note.trace } : {}),
        decidedAtMs: this.timeline.now,
        heuristics: [],
        ...(idempotency && proposed === 'commit' ? { idempotency, answer: proposal.answer } : {}),
        ...(proposed === 'abort' ? { endedAtMs: this.timeline.now, outcome: 'aborted' } : {}),
        ...(isTrue ? { endedAtMs: this.timeline.now, outcome: 'committed' } : {}),
      };
      this.store.rows.set(transaction, row);
      if (row.idempotency) this.store.keys.set(row.idempotency.key, transaction);
      this.store.history.push({ transaction, decision: proposed, at: this.timeline.now });
      this.timeline.tell(() => `register: ${transaction} ${proposed}`);
      return { kind: 'on-record', standing: row, byUs: true };
    });
  }

  standing(transaction: TransactionId): Promise<StandingDecision | undefined> {
    return this.connection.call(() => this.store.rows.get(transaction));
  }

  holderOf(key: string): Promise<StandingDecision | undefined> {
    return this.connection.call(() => {
      const holder = this.store.keys.get(key);
      return holder && this.store.rows.get(holder);
    });
  }

  claim(claim: KeyClaim, instead?: TransactionId): Promise<Claimed> {
    return this.connection.call(() => {
      const { keys, rows, claims } = this.store;
      const holder = keys.get(claim.key);
      const standing = holder && rows.get(holder);
      if (standing) return { kind: 'stored', standing };
      const other = claims.get(claim.key);
      if (other && other.claimant !== instead) return { kind: 'claim', claim: other };
      claims.set(claim.key, claim);
      return { kind: 'claim', claim };
    });
  }

  unclaim({ key, claimant }: KeyClaim): void {
    this.timeline.at(this.random.between(1, 50), () => {
      const { claims, isUp } = this.store;
      if (isUp && this.alive() && claims.get(key)?.claimant === claimant) claims.delete(key);
    });
  }

  recordHeuristic(
    transaction: TransactionId,
    _decision: Decision,
    heuristic: HeuristicBranch,
  ): Promise<void> {
    return this.connection.call(() => {
      if (decidedAt(transaction) !== undefined && !this.store.rows.has(transaction)) {
        this.store.neverKnown.set(transaction, heuristic);
        return;
      }
      const row = this.store.rows.get(transaction) ?? this.standingAbort(transaction);
      if (!row.heuristics.some((one) => one.branch === heuristic.branch)) {
        row.heuristics = [...row.heuristics, heuristic];
      }
      row.outcome = transactionOutcome(row.decision, row.heuristics);
      this.store.rows.set(transaction, row);
    });
  }

  noteEnded(transaction: TransactionId, outcome: TransactionOutcome, afterMs: number): void {
    this.writeNote({ transaction, outcome, afterMs }, this.random.between(1, 50));
  }

  private writeNote(note: Note, inMs: number): void {
    const { transaction, outcome, afterMs } = note;
    this.timeline.at(inMs, () => {
      const row = this.store.rows.get(transaction);
      if (!row || !this.alive()) return; // Lazy: it is lost with the process.
      if (!this.store.isUp) return this.writeNote(note, NOTE_RETRY_MS);
      this.store.noteEnded(row, this.timeline.now, afterMs);
      row.outcome =
        row.heuristics.length > 0 ? transactionOutcome(row.decision, row.heuristics) : outcome;
      this.store.whenEnded(row);
    });
  }

  unfinishedFinishers(): Promise<Incarnation[]> {
    return this.connection.call(() => [...new Set(this.unfinished().map((row) => row.finisher))]);
  }

  claimUnfinished(from: Incarnation, to: Incarnation, limit: number): Promise<StandingDecision[]> {
    return this.connection.call(() => {
      const claimed = this.unfinished()
        .filter((row) => row.finisher === from)
        .slice(0, limit);
      if (from !== to) this.history.count('takeovers', claimed.length);
      for (const row of claimed) row.finisher = to;
      return claimed.map((row) => ({ ...row }));
    });
  }

  oldestUnfinished(): Promise<TransactionId | undefined> {
    return this.connection.call(
      () =>
        this.unfinished()
          .map((row) => row.transaction)
          .sort()[0],
    );
  }

  private standingAbort(transaction: TransactionId): Row {
    return {
      transaction,
      decision: 'abort',
      branches: [],
      finisher: 'none' as Incarnation,
      decidedAtMs: this.timeline.now,
      endedAtMs: this.timeline.now,
      heuristics: [],
    };
  }

  private unfinished(): Row[] {
    return [...this.store.rows.values()].filter(
      (row) => row.decision === 'commit' && row.endedAtMs === undefined,
    );
  }
}
