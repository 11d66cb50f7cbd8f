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
  type PreparedInventory,
} from '@concordat/engine';
import {
  NoCode,
  formatGid,
  voteNo,
  type AbortResult,
  type ClusterId,
  type CommitResult,
  type PrepareResult,
  type VoteAgainst,
} from '@concordat/protocol';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface Effects {
  readonly deltas: Map<string, number>;
}

export interface SimulatedSession extends Effects {
  ended: boolean;
}

/** What is durable in one participant's database. */
export class DatabaseStore {
  readonly balances = new Map<string, number>();
  readonly prepared = new Map<string, { effects: Effects; since: number }>();
  /** gid to what its outcome row says. */
  readonly outcome = new Map<string, 'branch' | 'tombstone'>();
  /** Outcome rows inserted by transactions that are still between insert and PREPARE. */
  readonly inserting = new Set<string>();
  /** How often each gid's effects were applied: for the checkers. */
  readonly applied = new Map<string, number>();
}

export interface ResourceFaults {
  readonly lostAnswer: number;
  readonly refusal: number;
  readonly slow: number;
  readonly delayMsMax: number;
}

export class SimulatedResource extends Resource<SimulatedSession> {
  constructor(
    readonly store: DatabaseStore,
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly faults: () => ResourceFaults,
    private readonly alive: () => boolean,
  ) {
    super();
  }

  async begin(): Promise<Begun<SimulatedSession>> {
    await this.travel();
    return { kind: 'begun', session: { deltas: new Map(), ended: false } };
  }

  /** One operation: add to an account, or look. */
  async operate(session: SimulatedSession, account: string, delta: number): Promise<number> {
    await this.travel();
    if (this.random.chance(this.faults().slow)) await this.wait(this.random.between(500, 6_000));
    if (this.random.chance(this.faults().refusal)) throw new VoteNoError('REFUSED');
    if (session.ended) throw new Error('the session has ended');
    if (delta !== 0) session.deltas.set(account, (session.deltas.get(account) ?? 0) + delta);
    return this.store.balances.get(account) ?? 0;
  }

  async prepare(branch: BranchKey, session: SimulatedSession): Promise<PrepareResult> {
    const gid = formatGid(branch);
    await this.travel();
    session.ended = true;
    if (session.deltas.size === 0) return { kind: 'read-only' };
    const { outcome, prepared, inserting } = this.store;
    if (outcome.has(gid) || prepared.has(gid) || inserting.has(gid)) {
      const vote = voteNo(NoCode.alreadyFinished, 'its outcome row exists already');
      return { kind: 'rolled-back', vote };
    }
    inserting.add(gid);
    const lost = this.random.chance(this.faults().lostAnswer);
    await this.delay();
    inserting.delete(gid);
    // A connection that was lost, alone or with its process, may have gone before or after PREPARE.
    if ((this.alive() && !lost) || this.random.chance(0.5)) {
      prepared.set(gid, { effects: { deltas: session.deltas }, since: this.timeline.now });
      this.timeline.tell(`${branch.participant} db: prepared ${gid}`);
    }
    await this.delay();
    await this.stillAlive();
    if (lost) return { kind: 'unknown', reason: 'the connection was lost' };
    return { kind: 'prepared' };
  }

  async rollback(session: SimulatedSession): Promise<void> {
    session.ended = true;
    await this.travel();
  }

  voteOf(): VoteAgainst | undefined {
    return undefined;
  }

  async commit(branch: BranchKey): Promise<CommitResult> {
    const gid = formatGid(branch);
    await this.travel();
    const lost = this.random.chance(this.faults().lostAnswer);
    const prepared = this.store.prepared.get(gid);
    if (prepared) {
      this.store.prepared.delete(gid);
      this.store.outcome.set(gid, 'branch');
      for (const [account, delta] of prepared.effects.deltas) {
        this.store.balances.set(account, (this.store.balances.get(account) ?? 0) + delta);
      }
      this.store.applied.set(gid, (this.store.applied.get(gid) ?? 0) + 1);
      this.timeline.tell(`${branch.participant} db: committed ${gid}`);
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
    await this.travel();
    const lost = this.random.chance(this.faults().lostAnswer);
    if (this.store.prepared.delete(gid)) {
      this.timeline.tell(`${branch.participant} db: rolled back ${gid}`);
    }
    await this.delay();
    // The tombstone waits for an outcome row whose transaction has not ended.
    if (this.store.inserting.has(gid) || this.store.prepared.has(gid)) {
      await this.stillAlive();
      return { kind: 'busy', reason: 'the branch is still running' };
    }
    if (!this.store.outcome.has(gid)) this.store.outcome.set(gid, 'tombstone');
    const row = this.store.outcome.get(gid);
    await this.travel();
    if (lost) return { kind: 'unknown', reason: 'the connection was lost' };
    if (row === 'tombstone') return { kind: 'aborted' };
    const explanation = 'a committed outcome row stands where an abort was due';
    return {
      kind: 'heuristic',
      evidence: { decision: 'abort', found: 'committed', explanation },
    };
  }

  async listPrepared(cluster: ClusterId): Promise<PreparedInventory> {
    await this.travel();
    const entries = [...this.store.prepared]
      .filter(([gid]) => gid.startsWith(`cc:${cluster}:`))
      .map(([gid, { since }]) => ({ gid, ageMs: this.timeline.now - since }));
    return { entries, slotsUsed: entries.length, slotsMax: 1_000 };
  }

  /** To the database or back; a process that died meanwhile hears nothing any more. */
  private async travel(): Promise<void> {
    await this.delay();
    await this.stillAlive();
  }

  private delay(): Promise<void> {
    return this.wait(this.random.between(0, this.faults().delayMsMax));
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timeline.at(ms, resolve);
    });
  }

  private stillAlive(): Promise<void> {
    return this.alive() ? Promise.resolve() : new Promise(() => undefined);
  }
}
