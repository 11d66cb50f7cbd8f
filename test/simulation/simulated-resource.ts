/**
 * The simulated resource: a database with prepared transactions, outcome rows and tombstones, and a
 * balance per account, whose sessions die with their process and whose prepared branches do not.
 * Behaves as field facts say Postgres does: a row's key is held from its insert to the end of its
 * transaction, a lost answer may hide an effect, a finished gid is forgotten.
 */
import {
  Resource,
  VoteNoError,
  type Begun,
  type BranchKey,
  type BranchWait,
  type InstanceReport,
  type Look,
  type Marks,
  type PreparedInventory,
  type WaitHolder,
} from '@concordat/engine';
import {
  NoCode,
  decidedAt,
  formatGid,
  parseGid,
  voteNo,
  type AbortResult,
  type ClusterId,
  type CommitResult,
  type PrepareResult,
  type VoteAgainst,
} from '@concordat/protocol';
import type { DatabaseStore, Effects } from './database-store.js';
import type { Random } from './random.js';
import { CONNECTION_WATCH_MS, type Locker, type RowWait } from './row-locks.js';
import { reportOf } from './simulated-inspection.js';
import type { Admit, Timeline } from './timeline.js';

export interface SimulatedSession extends Effects {
  /** Under which it takes locks, where its database has any. */
  readonly locker?: Locker;
  ended: boolean;
  /** A statement failed: what follows is ignored, and PREPARE answers with the tag ROLLBACK. */
  failed?: boolean;
  /** Its wait for a lock was ended for the sake of others. */
  recalled?: boolean;
}

export interface ResourceFaults {
  readonly lostAnswer: number;
  readonly refusal: number;
  readonly slow: number;
  readonly slowMsMax?: number;
  readonly delayMsMax: number;
}

/** Who else is in the database. */
export interface Cohabitants {
  /** All of them: what they have prepared can be finished from any session of the database. */
  readonly all: () => readonly DatabaseStore[];
  /** Those whose branches this service lists with its own when it looks for branches in doubt. */
  readonly listed: () => readonly DatabaseStore[];
  /** Those whose branches it lists for a coordinator that looks. */
  readonly shown: () => readonly DatabaseStore[];
  /** Called with a branch of theirs that this service finishes. */
  readonly finished: (gid: string) => void;
}

const NONE: readonly DatabaseStore[] = [];
const ALONE: Cohabitants = {
  all: () => NONE,
  listed: () => NONE,
  shown: () => NONE,
  finished: () => undefined,
};

/** Shorter waits are not looked for. */
const SLOW_MS = 40;

export class SimulatedResource extends Resource<SimulatedSession> {
  /** Of this process's sessions. */
  private readonly branches = new WeakMap<Locker, BranchKey>();

  constructor(
    readonly store: DatabaseStore,
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly faults: () => ResourceFaults,
    private readonly alive: () => boolean,
    private readonly admit: Admit = (task) => {
      if (alive()) task();
    },
    private readonly lostAnAnswer: () => void = () => undefined,
    private readonly others: Cohabitants = ALONE,
    private readonly recalled: () => void = () => undefined,
  ) {
    super();
  }

  async begin(branch?: BranchKey): Promise<Begun<SimulatedSession>> {
    await this.travel();
    if (!branch) return { kind: 'begun', session: { deltas: new Map(), ended: false } };
    const locker = { gid: formatGid(branch), isGone: () => !this.alive() };
    this.branches.set(locker, branch);
    return { kind: 'begun', session: { deltas: new Map(), ended: false, locker } };
  }

  /** One operation: add to an account, which locks its row where there are locks, or look. */
  async operate(
    session: SimulatedSession,
    account: string,
    delta: number,
    isLocking = delta !== 0,
  ): Promise<number> {
    await this.arrive();
    if (this.random.chance(this.faults().slow)) {
      await this.wait(this.random.between(500, Math.min(6_000, this.faults().slowMsMax ?? 6_000)));
    }
    if (isLocking) await this.lock(session, account);
    await this.travel();
    if (this.random.chance(this.faults().refusal)) throw new VoteNoError('REFUSED');
    if (session.ended || session.failed) throw new Error('the session has ended');
    if (delta !== 0) session.deltas.set(account, (session.deltas.get(account) ?? 0) + delta);
    return this.store.balances.get(account) ?? 0;
  }

  async prepare(branch: BranchKey, session: SimulatedSession): Promise<PrepareResult> {
    const gid = formatGid(branch);
    await this.arrive();
    if (session.ended || session.failed) {
      this.end(session);
      const vote = voteNo(NoCode.rolledBack, 'its transaction had failed or was over');
      return { kind: 'rolled-back', vote };
    }
    session.ended = true;
    if (session.deltas.size === 0) {
      this.end(session);
      return { kind: 'read-only' };
    }
    const { outcome, prepared, inserting } = this.store;
    const isClosed = this.store.isClosed(branch);
    if (isClosed || outcome.has(gid) || prepared.has(gid) || inserting.has(gid)) {
      this.end(session);
      const why = isClosed ? 'it is past retention' : 'its outcome row exists already';
      const vote = voteNo(NoCode.alreadyFinished, why);
      return { kind: 'rolled-back', vote };
    }
    inserting.add(gid);
    const lost = this.isAnswerLost();
    // A process that is paused here holds its outcome row: an abort elsewhere finds it busy.
    const goesOn = await this.nextStatement();
    inserting.delete(gid);
    // A connection that was lost, alone or with its process, may have gone before or after PREPARE.
    const isDone = (goesOn && !lost) || this.random.chance(0.5);
    if (isDone && decidedAt(branch.transaction) !== undefined) {
      this.store.commitAlone(gid, { deltas: session.deltas }, this.timeline.now);
      this.timeline.tell(() => `${branch.participant} db: committed alone ${gid}`);
      this.end(session);
      await this.travel();
      return lost ? { kind: 'unknown', reason: 'the connection was lost' } : { kind: 'committed' };
    }
    if (isDone) {
      this.store.prepare(gid, { deltas: session.deltas }, this.timeline.now);
      this.timeline.tell(() => `${branch.participant} db: prepared ${gid}`);
    } else this.end(session);
    await this.travel();
    if (lost) return { kind: 'unknown', reason: 'the connection was lost' };
    return { kind: 'prepared' };
  }

  async rollback(session: SimulatedSession): Promise<void> {
    this.end(session);
    await this.travel();
  }

  override async lockWaits(
    sessions: readonly SimulatedSession[],
  ): Promise<ReadonlyMap<SimulatedSession, string>> {
    const { locks } = this.store;
    const found = new Map<SimulatedSession, string>();
    if (!locks) return found;
    await this.arrive();
    const waits = new Map(locks.waits().map((one) => [one.waiter, one]));
    for (const session of sessions) {
      const wait = session.locker && waits.get(session.locker);
      const [holder] = wait?.holders ?? [];
      // There is one row in each of these databases: who holds it waits for nothing here.
      if (holder) found.set(session, holder.gid);
    }
    await this.travel();
    return found;
  }

  override async endLockWaits(sessions: readonly SimulatedSession[]): Promise<void> {
    await this.arrive();
    for (const session of sessions) {
      if (session.ended || !session.locker || !this.store.locks?.cancel(session.locker)) continue;
      session.failed = true;
      session.recalled = true;
      this.recalled();
    }
    await this.travel();
  }

  override isRecalled(session: SimulatedSession): boolean {
    return session.recalled === true;
  }

  voteOf(): VoteAgainst | undefined {
    return undefined;
  }

  async commit(branch: BranchKey): Promise<CommitResult> {
    const gid = formatGid(branch);
    await this.arrive();
    const lost = this.isAnswerLost();
    if (this.store.finishing.has(gid)) return BUSY;
    this.store.finishing.add(gid);
    await this.delay();
    this.store.finishing.delete(gid);
    if (this.holderOf(gid).commitPrepared(gid)) {
      this.timeline.tell(() => `${branch.participant} db: committed ${gid}`);
    }
    await this.travel();
    if (lost) return { kind: 'unknown', reason: 'the connection was lost' };
    const row = this.store.outcome.get(gid);
    if (row === 'branch') return { kind: 'committed' };
    const found = row === 'tombstone' ? 'rolled-back' : 'missing';
    const explanation = 'COMMIT PREPARED found no such transaction';
    return { kind: 'heuristic', evidence: { decision: 'commit', found, explanation } };
  }

  async abort(branch: BranchKey): Promise<AbortResult> {
    const gid = formatGid(branch);
    await this.arrive();
    const lost = this.isAnswerLost();
    if (this.store.finishing.has(gid)) return BUSY;
    if (this.holderOf(gid).rollbackPrepared(gid)) {
      this.timeline.tell(() => `${branch.participant} db: rolled back ${gid}`);
    }
    await this.delay();
    // The tombstone waits for an outcome row whose transaction has not ended.
    if (this.store.inserting.has(gid) || this.store.prepared.has(gid)) {
      await this.travel();
      return { kind: 'busy', reason: 'the branch is still running' };
    }
    if (!this.store.isClosed(branch)) this.store.bury(gid, this.timeline.now);
    const row = this.store.outcome.get(gid);
    await this.travel();
    if (lost) return { kind: 'unknown', reason: 'the connection was lost' };
    if (row === undefined) return { kind: 'forgotten', reason: 'it is past retention' };
    if (row === 'tombstone') return { kind: 'aborted' };
    if (decidedAt(branch.transaction) !== undefined) return { kind: 'committed' };
    const explanation = 'a committed outcome row where an abort was decided';
    return {
      kind: 'heuristic',
      evidence: { decision: 'abort', found: 'committed', explanation },
    };
  }

  async listPrepared(cluster: ClusterId): Promise<PreparedInventory> {
    await this.arrive();
    const own = [...this.store.prepared].filter(([gid]) => gid.startsWith(`cc:${cluster}:`));
    const entries = [...own, ...this.others.listed().flatMap((one) => [...one.prepared])].map(
      ([gid, { since }]) => ({ gid, ageMs: this.timeline.now - since }),
    );
    await this.travel();
    return { entries, slotsUsed: this.store.prepared.size, slotsMax: 1_000 };
  }

  async waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    const { locks } = this.store;
    if (!locks) return [];
    const asked = among && new Set(among.map(formatGid) as string[]);
    await this.arrive();
    const seen = locks.waits().flatMap((wait) => {
      const branch = this.branches.get(wait.waiter);
      const waitingMs = this.timeline.now - wait.since;
      const isAsked = asked ? asked.has(wait.waiter.gid) : waitingMs >= SLOW_MS;
      return branch && isAsked ? [this.waitOf(branch, wait, waitingMs)] : [];
    });
    await this.travel();
    return seen;
  }

  /** What a coordinator that looks gets. */
  async report(look: Look, cluster: ClusterId): Promise<InstanceReport> {
    await this.arrive();
    const stores = [this.store, ...this.others.shown()];
    const report = reportOf(look, cluster, stores, this.timeline.now);
    await this.travel();
    return report;
  }

  /** Forgets what is below the mark and past retention. */
  async prune({ below, forgottenBelow }: Marks, retentionMs: number): Promise<void> {
    await this.arrive();
    const { now } = this.timeline;
    this.store.prune(below, now - retentionMs, now, forgottenBelow);
  }

  /** COMMIT PREPARED and ROLLBACK PREPARED find a gid by the database, whichever session prepared it. */
  private holderOf(gid: string): DatabaseStore {
    if (this.store.prepared.has(gid)) return this.store;
    const other = this.others.all().find((one) => one.prepared.has(gid));
    if (other) this.others.finished(gid);
    return other ?? this.store;
  }

  private async lock({ locker, ended }: SimulatedSession, row: string): Promise<void> {
    const { locks } = this.store;
    // A statement that comes after the end of its session takes nothing, or nothing would release it.
    if (ended) throw new Error('the session has ended');
    if (locks && locker) await locks.lock(row, locker);
  }

  private end(session: SimulatedSession): void {
    session.ended = true;
    if (session.locker) this.store.locks?.release(session.locker);
  }

  private waitOf(
    { transaction, branch }: BranchKey,
    { id, row, holders }: RowWait,
    waitingMs: number,
  ): BranchWait {
    const { prepared } = this.store;
    return {
      ...{ transaction, branch, id, waitingMs, on: { kind: 'transactionid', relation: row } },
      holders: holders.flatMap(({ gid }): WaitHolder[] => {
        const parts = parseGid(gid);
        if (!parts) return [{ kind: 'session', pid: 1, application: gid }];
        if (parts.transaction === transaction) return [];
        return [
          {
            ...{ kind: 'branch', transaction: parts.transaction, branch: parts.branch },
            isPrepared: prepared.has(gid),
          },
        ];
      }),
    };
  }

  private isAnswerLost(): boolean {
    const lost = this.random.chance(this.faults().lostAnswer);
    if (lost) this.lostAnAnswer();
    return lost;
  }

  /** A statement on its way: it was sent, so it arrives also from a paused process, at times from a dead one. */
  private arrive(): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.at(this.delayMs(), () => {
        if (this.alive() || this.random.chance(0.5)) resolve();
      });
    });
  }

  /** An answer on its way: a process that died meanwhile gets nothing, a paused one later. */
  private travel(): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.at(this.delayMs(), () => this.admit(resolve));
    });
  }

  /**
   * The process sends the next statement of the same session once it can. False when its connection
   * ends first, because it died.
   */
  private nextStatement(): Promise<boolean> {
    return new Promise((resolve) => {
      let sent = false;
      const watch = (): void => {
        if (sent) return;
        if (this.alive()) this.timeline.at(CONNECTION_WATCH_MS, watch);
        else resolve(false);
      };
      this.timeline.at(this.delayMs(), () => {
        this.admit(() => {
          sent = true;
          resolve(true);
        });
        watch();
      });
    });
  }

  /** Time that passes in the database, whatever becomes of the process. */
  private delay(): Promise<void> {
    return this.wait(this.delayMs());
  }

  private delayMs(): number {
    return this.random.between(0, this.faults().delayMsMax);
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.at(ms, resolve);
    });
  }
}

const BUSY = { kind: 'busy', reason: 'another session is finishing it' } as const;
