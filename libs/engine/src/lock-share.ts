/**
 * Which branches give their session back while they wait for a lock. Guards "waiting starves no branch":
 * however many branches wait for one lock, others get sessions, and a lock that never comes keeps no
 * other lock's queue from moving. Pure: no clock, no database.
 *
 * Ending a wait rolls back an unprepared branch, which is always safe. It costs work, so it is done only
 * where a branch could begin with a session, and the youngest gives way first.
 */

/** A branch whose statement waits for a lock in a session. */
export interface LockWaiter {
  /** Its place in the order in which branches go on: the lowest first. */
  readonly place: number;
  /** Whom the queue of its lock waits for in the end; branches with the same one wait for the same. */
  readonly behind: string;
  /** For how long it has been seen waiting, ms. */
  readonly waitedMs: number;
  /** For how long it has been seen waiting behind that one, ms. */
  readonly behindMs: number;
  /** Whether nothing of it has left this instance: it can wait without a session, and run again. */
  readonly canRunAgain: boolean;
  /** Whether it got this session because it may be in a cycle of waits, which is looked for meanwhile. */
  readonly isKept: boolean;
}

/** Branches here that could begin if a session came free. */
export interface SessionDemand {
  /** Those that have not run yet. */
  readonly fresh: number;
  /** Those that were recalled, wait for nothing that is known, and are kept back by the share alone. */
  readonly again: number;
  /** Those that were recalled, may be in a cycle of waits, and may have a session beyond the share. */
  readonly suspected: number;
}

/** Half of the sessions, where nothing else is said. One that waits is always let be. */
export function lockShareOf(sessionsMax: number): number {
  return Math.max(1, Math.floor(sessionsMax / 2));
}

/**
 * How many sessions branches may keep that may be in a cycle of waits: half of those beyond the share stay
 * free for others, however many are suspected, but for the last one.
 */
export function keptMaxOf(sessionsMax: number, share: number): number {
  return share + Math.max(0, Math.floor((sessionsMax - share) / 2));
}

/** A queue of locks that has not moved for so long waits for something that may last. */
const STUCK_MS = 100;
/** A branch that cannot run again loses its transaction: it is given so long first. */
const LAST_RESORT_MS = 250;

/**
 * Branches whose waits are to be ended now. Beyond the share, once another branch could begin, all that can run
 * again: one look at the lock table per branch that arrives costs more. Within it, as many as may be in a cycle
 * of waits, and those that wait in a queue that has not moved, where others can be tried: one per queue keeps
 * its place and finds out when the lock is free.
 */
export function waitersToRecall<Waiter extends LockWaiter>(
  waiters: readonly Waiter[],
  { share, demand }: { readonly share: number; readonly demand: SessionDemand },
): Waiter[] {
  const queues = queuesOf(waiters);
  const chosen: Waiter[] = [];
  const takeFrom = (some: readonly Waiter[][], mayGiveWay = INDEED): boolean => {
    const next = latestOfLongest(some, mayGiveWay);
    if (!next) return false;
    chosen.push(next);
    for (const queue of queues) if (queue.includes(next)) queue.splice(queue.indexOf(next), 1);
    return true;
  };
  const wanted = demand.fresh + demand.suspected;
  let surplus = wanted > 0 ? waiters.length - share : 0;
  while (surplus-- > 0 && takeFrom(queues, chosen.length < wanted ? INDEED : [canRunAgain]));
  while (chosen.length < demand.suspected && takeFrom(queues, [canRunAgain]));
  let swapped = demand.again;
  while (swapped-- > 0 && takeFrom(queues.filter((one) => one.length > 1 && isStuck(one))));
  return chosen;
}

/** Queues that have not moved: one waiter of each keeps a session, and no part of the share. */
export function stuckQueues(waiters: readonly LockWaiter[]): number {
  return queuesOf(waiters).filter(isStuck).length;
}

function queuesOf<Waiter extends LockWaiter>(waiters: readonly Waiter[]): Waiter[][] {
  const queues = new Map<string, Waiter[]>();
  for (const one of [...waiters].sort((a, b) => a.place - b.place)) {
    const queue = queues.get(one.behind);
    if (queue) queue.push(one);
    else queues.set(one.behind, [one]);
  }
  return [...queues.values()];
}

type MayGiveWay = (waiter: LockWaiter) => boolean;

/** One that can run again before one that cannot. */
const INDEED: readonly MayGiveWay[] = [canRunAgain, isPastPatience];

/** The last that came in the longest queue, as far as they may give way. */
function latestOfLongest<Waiter extends LockWaiter>(
  queues: readonly Waiter[][],
  inThisOrder: readonly MayGiveWay[],
): Waiter | undefined {
  const longestFirst = [...queues].sort(
    (a, b) => b.length - a.length || Number(isStuck(b)) - Number(isStuck(a)),
  );
  for (const mayGiveWay of inThisOrder) {
    for (const queue of longestFirst) {
      const last = queue.findLast((one) => !one.isKept && mayGiveWay(one));
      if (last) return last;
    }
  }
  return undefined;
}

function canRunAgain(waiter: LockWaiter): boolean {
  return waiter.canRunAgain;
}

function isPastPatience({ waitedMs }: LockWaiter): boolean {
  return waitedMs >= LAST_RESORT_MS;
}

function isStuck(queue: readonly LockWaiter[]): boolean {
  return queue.some(({ behindMs }) => behindMs >= STUCK_MS);
}
