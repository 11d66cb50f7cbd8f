/**
 * The waits in all databases of a world at once, as no part of the product can see them: from when to when
 * each transaction waited for each other, since when a transaction has been the youngest of a cycle, and what
 * was aborted because of one. A branch that lost its session while it waited still needs the same row: a
 * cycle may lead through it, and no transaction may be aborted for it.
 */
import { NoCode, parseGid, type AbortCause, type TransactionId } from '@concordat/protocol';
import type { RowLocks } from './row-locks.js';

/** One transaction waited for another, in any database. */
export interface Waited {
  readonly from: TransactionId;
  readonly to: TransactionId;
  readonly since: number;
  until: number;
}

export interface Victim {
  readonly transaction: TransactionId;
  readonly at: number;
  readonly waits: readonly {
    readonly transaction: TransactionId;
    readonly heldBy: TransactionId;
  }[];
}

/** One that was begun again in order, though no cycle was seen. */
export interface Restarted {
  readonly transaction: TransactionId;
  /** The first attempt of its request. */
  readonly first: TransactionId;
  readonly at: number;
}

/** Two looks and a report. */
const SHOWN_MS_MAX = 500;

export class WaitTruth {
  /** All that ever were; those that last have no end. */
  readonly waited: Waited[] = [];
  readonly victims: Victim[] = [];
  readonly restarted: Restarted[] = [];
  /** How long each was the youngest of a cycle, and when that ended. */
  readonly cycles: { readonly youngest: TransactionId; readonly since: number; until: number }[] =
    [];
  /** Waits that were shown at their owner long after they were over. */
  readonly stale: string[] = [];
  private readonly open = new Map<string, Waited>();
  private readonly lasting = new Set<string>();
  private readonly endedAt = new Map<string, number>();
  private readonly youngest = new Map<TransactionId, { until: number }>();
  /** Who would wait for whom, had it a session. */
  private wanting: Pick<Waited, 'from' | 'to'>[] = [];
  private lastId = 0;

  /** `isUnvoted` says of a branch whether it is still to work somewhere. */
  constructor(
    private readonly databases: () => Iterable<RowLocks>,
    private readonly isUnvoted: (gid: string) => boolean = () => false,
  ) {}

  readonly nextId = (): number => ++this.lastId;

  /** Looks at all databases. To be called whenever anything has changed in one of them. */
  look(now: number): void {
    const edges = new Map<string, readonly [TransactionId, TransactionId]>();
    const lasting = new Set<string>();
    this.wanting = [];
    for (const locks of this.databases()) {
      for (const { gid, holders } of locks.wanted()) {
        const from = transactionOf(gid);
        if (!this.isUnvoted(gid)) continue;
        for (const holder of holders) this.wanting.push({ from, to: transactionOf(holder.gid) });
      }
      for (const { id, waiter, holders } of locks.waits()) {
        lasting.add(id);
        this.lasting.add(id);
        const from = transactionOf(waiter.gid);
        for (const holder of holders) {
          const to = transactionOf(holder.gid);
          if (from !== to) edges.set(`${from}>${to}`, [from, to]);
        }
      }
    }
    for (const id of this.lasting) {
      if (lasting.has(id)) continue;
      this.lasting.delete(id);
      this.endedAt.set(id, now);
    }
    for (const [key, one] of this.open) {
      if (edges.has(key)) continue;
      one.until = now;
      this.open.delete(key);
    }
    for (const [key, [from, to]] of edges) {
      if (this.open.has(key)) continue;
      const one = { from, to, since: now, until: Number.POSITIVE_INFINITY };
      this.waited.push(one);
      this.open.set(key, one);
    }
    this.noteCycles(now);
  }

  /** A coordinator shows these waits. */
  shown(waits: readonly { readonly id: string }[], now: number): void {
    for (const { id } of waits) {
      const overMs = now - (this.endedAt.get(id) ?? now);
      if (overMs > SHOWN_MS_MAX) this.stale.push(`${id} is shown ${overMs} ms after its end`);
    }
  }

  /** An owner has aborted a transaction: whether it is a new victim of a deadlock. */
  aborted(transaction: TransactionId, cause: AbortCause | undefined, at: number): boolean {
    if (cause?.kind !== 'vote' || cause.vote.code !== NoCode.distributedDeadlock) return false;
    if (this.victims.some((one) => one.transaction === transaction)) return false;
    const { waits } = cause.vote.details as unknown as Pick<Victim, 'waits'>;
    this.victims.push({ transaction, at, waits });
    return true;
  }

  /** An owner has aborted one: whether it newly gave way to be begun again in order. */
  gaveWay(
    transaction: TransactionId,
    first: TransactionId,
    cause: AbortCause | undefined,
    at: number,
  ) {
    if (cause?.kind !== 'vote' || cause.vote.code !== NoCode.restartedInOrder) return false;
    if (this.restarted.some((one) => one.transaction === transaction)) return false;
    this.restarted.push({ transaction, first, at });
    return true;
  }

  private noteCycles(now: number): void {
    const waiting = new Set([...this.open.values(), ...this.wanting].map(({ from }) => from));
    for (const transaction of waiting) {
      const isYoungest = this.isYoungestOfCycle(transaction);
      const noted = this.youngest.get(transaction);
      if (isYoungest && !noted) {
        const one = { youngest: transaction, since: now, until: Number.POSITIVE_INFINITY };
        this.cycles.push(one);
        this.youngest.set(transaction, one);
      }
      if (!isYoungest && noted) this.close(transaction, noted, now);
    }
    for (const [transaction, noted] of this.youngest) {
      if (!waiting.has(transaction)) this.close(transaction, noted, now);
    }
  }

  private close(transaction: TransactionId, noted: { until: number }, now: number): void {
    noted.until = now;
    this.youngest.delete(transaction);
  }

  private isYoungestOfCycle(transaction: TransactionId): boolean {
    const reached = new Set<TransactionId>();
    const front = [transaction];
    for (let at = front.pop(); at !== undefined; at = front.pop()) {
      for (const { from, to } of [...this.open.values(), ...this.wanting]) {
        if (from !== at) continue;
        if (to === transaction) return true;
        if (to > transaction || reached.has(to)) continue;
        reached.add(to);
        front.push(to);
      }
    }
    return false;
  }
}

function transactionOf(gid: string): TransactionId {
  const transaction = parseGid(gid)?.transaction;
  if (!transaction) throw new Error(`${gid} is no branch of this world`);
  return transaction;
}
