/**
 * What the decision database keeps besides decisions, simulated: the list of coordinators with the
 * pruning that rests on it, the history with what a failover takes back of it, and what reconciliation
 * remembers. All of it is durable once answered, but for notes of the history.
 */
import {
  AbandonedTransactions,
  CoordinatorList,
  HistoryWriter,
  ReconciliationStore,
  TransactionHistory,
  type Clock,
  type ComparedBranch,
  type ListedCoordinator,
  type OutcomeKey,
  type PrunedRecords,
  type ScanBounds,
  type ScanState,
  type TransactionStory,
  type TransactionView,
  type UnfinishedCommit,
} from '@concordat/engine';
import {
  lowestTransactionIdAt,
  ownerOf,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { SimulatedConnection } from './simulated-connection.js';
import { UNFORCED_MS, type RegisterStore } from './simulated-register.js';
import { EPOCH_MS, type Timeline } from './timeline.js';

/** How far the mark stays behind now at least: more than clocks differ in worlds where house is kept. */
export const HORIZON_MS = 1_000;
const NOTE_RETRY_MS = 500;

/** Durable, shared by all coordinators. */
export class HouseStore {
  readonly listed = new Map<Incarnation, { floor: TransactionId; seenAt: number }>();
  readonly noted = new Map<TransactionId, TransactionView>();
  readonly scans = new Map<ParticipantName, { state: ScanState; turnUntil: number }>();
  readonly watched = new Map<ParticipantName, Set<string>>();
  /** Nothing is pruned any more: what is wrong then stays to be found. */
  isFrozen = false;
  /** Ends that were on record until they were pruned. */
  private readonly forgotten = new Set<TransactionId>();
  private unforced: { view: TransactionView; before?: TransactionView; at: number }[] = [];

  note(view: TransactionView, now: number): void {
    const before = this.noted.get(view.transaction);
    if (before?.endedAtMs !== undefined && view.endedAtMs === undefined) return;
    this.noted.set(view.transaction, view);
    this.unforced.push({ view, ...(before ? { before } : {}), at: now });
  }

  forget(transaction: TransactionId): void {
    if (this.noted.get(transaction)?.endedAtMs !== undefined) this.forgotten.add(transaction);
    this.noted.delete(transaction);
  }

  /** Whether its end is, or was, in the history. */
  hasEnded(transaction: TransactionId): boolean {
    const view = this.noted.get(transaction);
    return view?.endedAtMs !== undefined || this.forgotten.has(transaction);
  }

  /** A forced commit of any session takes along what is before it in the log. */
  force(): void {
    this.unforced = [];
  }

  /** The primary dies: notes that were not forced may go, the latest first. Says how many went. */
  failOver(now: number, isLost: () => boolean): number {
    const young = this.unforced.filter((one) => now - one.at < UNFORCED_MS);
    // A log is lost from its end: what is kept is before what is lost.
    let kept = young.length;
    while (kept > 0 && isLost()) kept -= 1;
    for (const { view, before } of young.slice(kept).reverse()) {
      if (before) this.noted.set(view.transaction, before);
      else this.noted.delete(view.transaction);
    }
    this.unforced = [];
    return young.length - kept;
  }
}

export class SimulatedList extends CoordinatorList {
  constructor(
    private readonly connection: SimulatedConnection,
    private readonly house: HouseStore,
    private readonly register: RegisterStore,
    private readonly timeline: Timeline,
    private readonly clock: Clock,
  ) {
    super();
  }

  heartbeat(beat: { incarnation: Incarnation; oldestLive?: TransactionId }): Promise<void> {
    const floor = beat.oldestLive ?? lowestTransactionIdAt(this.clock.wallNow());
    return this.connection.call(() => {
      this.house.listed.set(beat.incarnation, { floor, seenAt: this.timeline.now });
    });
  }

  coordinators(): Promise<readonly ListedCoordinator[]> {
    const ago = (at: number) => this.timeline.now - at;
    return this.connection.call(() =>
      [...this.house.listed].map(([incarnation, { seenAt }]) => ({
        incarnation,
        seenAgoMs: ago(seenAt),
      })),
    );
  }

  forgetCoordinator(incarnation: Incarnation): Promise<void> {
    return this.connection.call(() => void this.house.listed.delete(incarnation));
  }

  lowWaterMark(): Promise<TransactionId> {
    return this.connection.call(() => this.mark());
  }

  prune(retentionMs: number): Promise<PrunedRecords> {
    return this.connection.call(() => {
      const { now } = this.timeline;
      if (this.house.isFrozen) return { below: this.register.mark, decisions: 0, history: 0 };
      const byAge = lowestTransactionIdAt(EPOCH_MS + now - retentionMs);
      const byUse = this.mark();
      const { below, decisions } = this.register.prune(
        byAge < byUse ? byAge : byUse,
        now - retentionMs,
      );
      let history = 0;
      for (const transaction of this.house.noted.keys()) {
        if (transaction >= below || this.register.rows.has(transaction)) continue;
        this.house.forget(transaction);
        history += 1;
      }
      return { below, decisions, history };
    });
  }

  private mark(): TransactionId {
    const horizon = lowestTransactionIdAt(EPOCH_MS + this.timeline.now - HORIZON_MS);
    const floors = [...this.house.listed.values()].map((one) => one.floor);
    return [horizon, ...floors, ...this.register.unended()].reduce((a, b) => (a < b ? a : b));
  }
}

/** What one process writes to the history, and the history that all read. */
export class SimulatedHistory extends TransactionHistory implements AbandonedTransactions {
  readonly historyWriter: HistoryWriter;

  constructor(
    private readonly connection: SimulatedConnection,
    private readonly house: HouseStore,
    private readonly register: RegisterStore,
    timeline: Timeline,
    alive: () => boolean,
  ) {
    super();
    const write = (view: TransactionView, inMs: number): void => {
      timeline.at(inMs, () => {
        if (!alive()) return;
        if (register.isUp) house.note(view, timeline.now);
        else write(view, NOTE_RETRY_MS);
      });
    };
    this.historyWriter = { note: (view) => write(view, NOTED_MS) };
  }

  storyOf(transaction: TransactionId): Promise<TransactionStory | undefined> {
    return this.connection.call(() => {
      const view = this.house.noted.get(transaction);
      if (!view) return undefined;
      return { branches: view.branches, isComplete: !view.takenOver && view.status !== 'active' };
    });
  }

  withoutEnd(transactions: readonly TransactionId[]): Promise<readonly TransactionId[]> {
    return this.connection.call(() => {
      this.house.force();
      return transactions.filter((one) => this.house.noted.get(one)?.endedAtMs === undefined);
    });
  }

  abandonedBy(
    incarnation: Incarnation,
    limit: number,
    after = '',
  ): Promise<readonly TransactionId[]> {
    const left = () => this.underWay(incarnation).filter((one) => one > after);
    return this.connection.call(() => left().slice(0, limit));
  }

  /** What is shown as under way: noted, without an end, and no decision is on record. */
  isUnderWay(transaction: TransactionId): Promise<boolean> {
    return this.connection.call(() => this.underWay().includes(transaction));
  }

  private underWay(owner?: Incarnation): TransactionId[] {
    return [...this.house.noted.values()]
      .filter((one) => one.endedAtMs === undefined && !this.register.rows.has(one.transaction))
      .map((one) => one.transaction)
      .filter((one) => !this.register.neverKnown.has(one))
      .filter((one) => owner === undefined || ownerOf(one) === owner)
      .sort();
  }
}

/** A note waits a moment for others before it is written. */
const NOTED_MS = 250;

export class SimulatedReconciliation extends ReconciliationStore {
  constructor(
    private readonly connection: SimulatedConnection,
    private readonly house: HouseStore,
    private readonly register: RegisterStore,
    private readonly timeline: Timeline,
    private readonly clock: Clock,
  ) {
    super();
  }

  compare(branches: readonly OutcomeKey[]): Promise<readonly ComparedBranch[]> {
    return this.connection.call(() => branches.map((one) => this.compared(one)));
  }

  contradicted(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]> {
    return this.connection.call(() =>
      committed.filter((one) => {
        const { verdict, forgotten } = this.compared(one);
        const row = this.register.rows.get(one.transaction);
        const isKnown = row?.heuristics.some(({ branch }) => branch === one.branch) ?? false;
        return verdict !== 'commit' && !forgotten && !isKnown;
      }),
    );
  }

  unrecorded(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]> {
    return this.connection.call(() => {
      this.house.force();
      return committed.filter(({ transaction }) => {
        const { endedAtMs, decision } = this.house.noted.get(transaction) ?? {};
        const isNoted = endedAtMs !== undefined && decision !== undefined;
        return !this.register.rows.has(transaction) && !isNoted;
      });
    });
  }

  /** Below which a participant may forget what it decides: past retention, and compared. */
  forgottenAt(participant: ParticipantName): Promise<TransactionId | undefined> {
    return this.connection.call(() => {
      const { base } = this.house.scans.get(participant)?.state ?? {};
      return base !== undefined && base > this.register.mark ? this.register.mark : base;
    });
  }

  unfinished(olderThanMs: number, limit: number): Promise<readonly UnfinishedCommit[]> {
    return this.connection.call(() =>
      this.register
        .unended()
        .flatMap((transaction) => {
          const row = this.register.rows.get(transaction);
          const decidedAgoMs = this.timeline.now - (row?.decidedAtMs ?? 0);
          if (!row || decidedAgoMs < olderThanMs) return [];
          return [{ transaction, finisher: row.finisher, branches: row.branches, decidedAgoMs }];
        })
        .slice(0, limit),
    );
  }

  bounds(): Promise<ScanBounds> {
    const now = lowestTransactionIdAt(this.clock.wallNow());
    return this.connection.call(() => {
      const floors = [...this.house.listed.values()].map((one) => one.floor);
      const liveFloor = floors.length > 0 ? floors.reduce((a, b) => (a < b ? a : b)) : now;
      const born = lowestTransactionIdAt(EPOCH_MS - 60_000);
      const { mark } = this.register;
      return { floor: mark > born ? mark : born, born, liveFloor };
    });
  }

  takeTurn(
    participant: ParticipantName,
    { forMs, regardless }: { forMs: number; regardless: boolean },
  ): Promise<ScanState | undefined> {
    return this.connection.call(() => {
      const { now } = this.timeline;
      const scan = this.house.scans.get(participant) ?? { state: {}, turnUntil: now };
      if (scan.turnUntil > now && !regardless) return undefined;
      this.house.scans.set(participant, { ...scan, turnUntil: now + forMs });
      return scan.state;
    });
  }

  advance(participant: ParticipantName, from: ScanState, to: ScanState): Promise<boolean> {
    return this.connection.call(() => {
      const scan = this.house.scans.get(participant);
      if (!scan || JSON.stringify(scan.state) !== JSON.stringify(from)) return false;
      this.house.scans.set(participant, { ...scan, state: to });
      return true;
    });
  }

  watched(participant: ParticipantName): Promise<readonly string[]> {
    return this.connection.call(() => [...(this.house.watched.get(participant) ?? [])].sort());
  }

  watch(participant: ParticipantName, gids: readonly string[]): Promise<void> {
    return this.connection.call(() => {
      const watched = this.house.watched.get(participant) ?? new Set();
      for (const gid of gids) watched.add(gid);
      this.house.watched.set(participant, watched);
    });
  }

  unwatch(participant: ParticipantName, gids: readonly string[]): Promise<void> {
    return this.connection.call(() => {
      for (const gid of gids) this.house.watched.get(participant)?.delete(gid);
    });
  }

  participants(): Promise<readonly ParticipantName[]> {
    return this.connection.call(() => [...this.house.scans.keys()]);
  }

  private compared({ transaction, branch }: OutcomeKey): ComparedBranch {
    const row = this.register.rows.get(transaction);
    if (!row) {
      return {
        ...{ transaction, branch, ended: false },
        forgotten: this.register.isForgotten(transaction),
      };
    }
    const named = row.branches.find((one) => one.branch === branch);
    const commits = row.decision === 'commit' && named !== undefined;
    return {
      ...{ transaction, branch, forgotten: false, finisher: row.finisher },
      verdict: commits ? 'commit' : 'abort',
      ...(commits ? { participant: named.participant } : {}),
      ended: row.endedAtMs !== undefined,
    };
  }
}
