/**
 * Which session waits for which in the whole database, from one look at the lock table. Guards "a named
 * holder really holds it": of those that queue for a row, each waits for the one ahead, so the queue is
 * followed to the holder of the row. Pure: no clock, no database.
 */
import { HOLDERS_MAX, nameOf, type LockWait, type WaitHolder } from '@concordat/engine';
import type { ClusterId, ParticipantName } from '@concordat/protocol';
import { holderOf, isBefore, lockedThing, type SeenLock } from '../postgres/waits.js';
import { conflict } from './blocking.js';

/**
 * Waits in which a branch of the cluster waits or is waited for, the longest first. `participant`: whose database
 * it is, for branches that are decided there.
 */
export function lockWaitsIn(
  locks: readonly SeenLock[],
  cluster: ClusterId,
  participant?: ParticipantName,
): LockWait[] {
  const own = { cluster, ...(participant ? { participant } : {}) };
  const queues = new Queues(locks, own);
  const waits = queues.waiting.flatMap((lock): LockWait[] => {
    const waiter = holderOf(lock, own);
    const holders = queues.holdersOf(lock);
    if (!waiter || ![waiter, ...holders].some(({ kind }) => kind === 'branch')) return [];
    const id = `${lock.pid}.${lock.transaction}.${lock.since}`;
    const [waitingMs, on] = [lock.waitingMs ?? 0, lockedThing(lock, locks)];
    return [
      {
        ...{ id, waiter, waitingMs, on, ahead: queues.aheadOf(lock).length },
        holders: holders.slice(0, HOLDERS_MAX),
      },
    ];
  });
  return waits.sort((a, b) => b.waitingMs - a.waitingMs);
}

class Queues {
  readonly waiting: readonly SeenLock[];
  private readonly byTag = new Map<string, SeenLock[]>();
  private readonly waitOf = new Map<number, SeenLock>();
  private readonly found = new Map<SeenLock, readonly WaitHolder[]>();

  constructor(
    locks: readonly SeenLock[],
    private readonly own: { readonly cluster: ClusterId; readonly participant?: ParticipantName },
  ) {
    this.waiting = locks.filter((one) => !one.granted && one.pid !== null && one.since !== null);
    for (const one of this.waiting) this.waitOf.set(one.pid as number, one);
    for (const one of locks) {
      const same = this.byTag.get(one.tag);
      if (same) same.push(one);
      else this.byTag.set(one.tag, [one]);
    }
  }

  /** Sessions ahead in the queue for the same thing: they wait as well, or hold only the next place. */
  aheadOf(wanted: SeenLock): SeenLock[] {
    return this.others(wanted).filter((one) =>
      one.granted ? isPlace(one) : isBefore(one, wanted),
    );
  }

  holdersOf(wanted: SeenLock): readonly WaitHolder[] {
    const known = this.found.get(wanted);
    if (known) return known;
    this.found.set(wanted, []); // Those that wait for each other in a circle end here.
    const holders = new Map<string, WaitHolder>();
    const add = (one: WaitHolder | undefined): void => {
      if (one && !holders.has(nameOf(one))) holders.set(nameOf(one), one);
    };
    for (const one of this.others(wanted)) {
      if (one.granted && !isPlace(one)) add(holderOf(one, this.own));
    }
    if (holders.size === 0) {
      for (const one of this.aheadOf(wanted)) {
        const wait = one.granted ? this.waitOf.get(one.pid ?? 0) : one;
        if (wait) this.holdersOf(wait).forEach(add);
        else add(holderOf(one, this.own));
      }
    }
    this.found.set(wanted, [...holders.values()]);
    return [...holders.values()];
  }

  private others(wanted: SeenLock): SeenLock[] {
    const same = this.byTag.get(wanted.tag) ?? [];
    return same.filter((one) => one.pid !== wanted.pid && conflict(wanted.mode, one.mode));
  }
}

/** The lock of a row's place is held by the first that waits for the row, which holds nothing else of it. */
const isPlace = ({ kind, pid }: SeenLock): boolean => kind === 'tuple' && pid !== null;
