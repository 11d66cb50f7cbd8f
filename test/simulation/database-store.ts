/**
 * What is durable in one simulated database: prepared transactions, outcome rows and tombstones, a balance per account,
 * and below what one phase is closed. Every change of it is one step.
 */
import type { BranchKey } from '@concordat/engine';
import { decidedAt, parseGid, type TransactionId } from '@concordat/protocol';
import type { RowLocks } from './row-locks.js';

export interface Effects {
  readonly deltas: Map<string, number>;
}

/** What is durable in one participant's database. */
export class DatabaseStore {
  readonly balances = new Map<string, number>();
  readonly prepared = new Map<string, { effects: Effects; since: number }>();
  /** gid to what its outcome row says. */
  readonly outcome = new Map<string, 'branch' | 'tombstone'>();
  /** When each outcome row was written. */
  private readonly writtenAt = new Map<string, number>();
  /** Every branch that was ever prepared here, for the checkers. */
  readonly everPrepared = new Set<string>();
  /** Outcome rows that were pruned, for the checkers. */
  readonly pruned = new Map<string, 'branch' | 'tombstone'>();
  readonly prunedAt = new Map<string, number>();
  /** In one phase no transaction below commits here any more. */
  closedBelow = '';
  /** Outcome rows inserted by transactions that are still between insert and PREPARE. */
  readonly inserting = new Set<string>();
  /** Prepared transactions that a session is finishing at this moment. */
  readonly finishing = new Set<string>();
  /** How often each gid's effects were applied, and which: for the checkers. */
  readonly applied = new Map<string, number>();
  readonly appliedEffects = new Map<string, Effects>();

  /**
   * The listeners are called with every branch at the moment when it is prepared and when it becomes visible.
   */
  constructor(
    readonly whenApplied: (gid: string, byHand: boolean) => void = () => undefined,
    readonly whenPrepared: (gid: string) => void = () => undefined,
    /** Absent: nothing is locked, and no session waits. */
    readonly locks?: RowLocks,
    readonly whenPruned: (gid: string, kind: 'branch' | 'tombstone') => void = () => undefined,
  ) {}

  /** PREPARE TRANSACTION. */
  prepare(gid: string, effects: Effects, now: number): void {
    this.prepared.set(gid, { effects, since: now });
    this.everPrepared.add(gid);
    this.locks?.keep(gid);
    this.whenPrepared(gid);
  }

  /** COMMIT of one phase: the outcome row and the work become visible at once, and are durable. */
  commitAlone(gid: string, effects: Effects, now: number): void {
    this.everPrepared.add(gid);
    this.prepared.set(gid, { effects, since: now });
    this.commitPrepared(gid);
  }

  /** COMMIT PREPARED: the outcome row and the work become visible at once. False if there is none. */
  commitPrepared(gid: string, byHand = false): boolean {
    const branch = this.prepared.get(gid);
    if (!branch) return false;
    this.prepared.delete(gid);
    this.outcome.set(gid, 'branch');
    this.writtenAt.set(gid, branch.since);
    for (const [account, delta] of branch.effects.deltas) {
      this.balances.set(account, (this.balances.get(account) ?? 0) + delta);
    }
    this.locks?.release(gid);
    this.applied.set(gid, (this.applied.get(gid) ?? 0) + 1);
    this.appliedEffects.set(gid, branch.effects);
    this.whenApplied(gid, byHand);
    return true;
  }

  /** A tombstone, first writer wins. */
  bury(gid: string, now: number): void {
    if (this.outcome.has(gid)) return;
    this.outcome.set(gid, 'tombstone');
    this.writtenAt.set(gid, now);
  }

  /** What is below, in one phase, is closed: unless a branch that is about to commit has read the mark as it was. */
  close(below: string): void {
    if (below <= this.closedBelow || [...this.inserting].some(isDecidedHere)) return;
    this.closedBelow = below;
  }

  isClosed({ transaction }: BranchKey): boolean {
    return decidedAt(transaction) !== undefined && transaction < this.closedBelow;
  }

  /**
   * Forgets rows of transactions below the mark that were written at `before` at the latest; of those that are
   * decided here, what coordinators need no more, and what is closed.
   */
  prune(below: string, before: number, now: number, forgottenBelow = ''): void {
    this.close(forgottenBelow < below ? forgottenBelow : below);
    for (const [gid, kind] of this.outcome) {
      const transaction = parseGid(gid)?.transaction ?? (below as TransactionId);
      const isKept = transaction >= forgottenBelow || transaction >= this.closedBelow;
      if (decidedAt(transaction) !== undefined && isKept) continue;
      if (transaction >= below || (this.writtenAt.get(gid) ?? 0) > before) continue;
      this.outcome.delete(gid);
      // A tombstone that comes after an outcome row was pruned is pruned in its turn.
      if (!this.pruned.has(gid)) this.pruned.set(gid, kind);
      this.prunedAt.set(gid, now);
      this.whenPruned(gid, kind);
    }
  }

  /** ROLLBACK PREPARED, without a tombstone: what a DBA does, or a failover that lost it. */
  rollbackPrepared(gid: string): boolean {
    const was = this.prepared.delete(gid);
    if (was) this.locks?.release(gid);
    return was;
  }
}

function isDecidedHere(gid: string): boolean {
  const parts = parseGid(gid);
  return parts !== undefined && decidedAt(parts.transaction) !== undefined;
}
