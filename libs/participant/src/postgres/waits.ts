/**
 * What branches wait for, from one look at the lock table. Guards "each edge is one that was seen": a wait is
 * reported with every session that has to release its lock before it ends, the holders and those ahead in its
 * queue, and with an id that no other wait has, so that a second look can show whether it still lasts.
 * A branch never waits for itself. Pure: no clock, no database.
 */
import { HOLDERS_MAX, type BranchKey, type BranchWait, type WaitHolder } from '@concordat/engine';
import { parseGid } from '@concordat/protocol';
import { conflict } from '../inspection/blocking.js';
import { readNameOfSession } from './branch.sql.js';

/** A lock that somebody holds or waits for, as the lock table shows it. */
export interface SeenLock {
  readonly tag: string;
  readonly kind: string;
  readonly relation: string | null;
  readonly page: number | null;
  readonly tuple: number | null;
  readonly mode: string;
  readonly granted: boolean;
  /** Absent of a prepared transaction. */
  readonly pid: number | null;
  /** The virtual transaction: never the same for two transactions of one process. */
  readonly transaction: string;
  readonly gid: string | null;
  /** When its wait began, in microseconds; absent for a moment after that. */
  readonly since: string | null;
  readonly waitingMs: number | null;
  /** The session's application name, and the role it works as. */
  readonly name: string | null;
  readonly user: string | null;
}

/** The waits of these branches, by process id. */
export function waitsAmong(
  locks: readonly SeenLock[],
  branches: ReadonlyMap<number, BranchKey>,
): BranchWait[] {
  return locks.flatMap((lock) => {
    const branch = lock.pid === null ? undefined : branches.get(lock.pid);
    if (lock.granted || !branch || lock.since === null) return [];
    const holders = holdersOf(lock, locks, branch);
    if (holders.length === 0) return [];
    const { transaction, branch: number } = branch;
    const id = `${lock.pid}.${lock.transaction}.${lock.since}`;
    const waitingMs = lock.waitingMs ?? 0;
    return [{ transaction, branch: number, id, waitingMs, on: lockedThing(lock, locks), holders }];
  });
}

function holdersOf(wanted: SeenLock, locks: readonly SeenLock[], own: BranchKey): WaitHolder[] {
  const others = locks.filter(
    (one) => one.tag === wanted.tag && one.pid !== wanted.pid && conflict(wanted.mode, one.mode),
  );
  const holding = others.filter((one) => one.granted);
  const ahead = others
    .filter((one) => !one.granted && isBefore(one, wanted))
    .sort((a, b) => (isBefore(a, b) ? 1 : -1));
  const found = new Map<string, WaitHolder>();
  for (const lock of [...holding, ...ahead]) {
    const holder = holderOf(lock, own);
    if (!holder || (holder.kind === 'branch' && holder.transaction === own.transaction)) continue;
    if (found.size < HOLDERS_MAX) found.set(keyOf(holder), found.get(keyOf(holder)) ?? holder);
  }
  return [...found.values()];
}

/** Whether one has waited longer than another. */
export function isBefore(one: SeenLock, other: SeenLock): boolean {
  return one.since !== null && other.since !== null && BigInt(one.since) < BigInt(other.since);
}

/** Who holds a lock or waits for it; undefined of a prepared transaction that has ended meanwhile. */
export function holderOf(
  { pid, gid, name, user }: SeenLock,
  { cluster, participant }: Pick<BranchKey, 'cluster'> & Partial<BranchKey>,
): WaitHolder | undefined {
  const named = readNameOfSession(name ?? '', participant);
  const parts = parseGid(gid ?? named.gid ?? '');
  if (parts?.cluster === cluster) {
    const { transaction, branch } = parts;
    const of = { kind: 'branch', transaction, branch } as const;
    if (pid === null) return { ...of, isPrepared: true };
    return { ...of, isPrepared: false, pid, ...applicationOf(named) };
  }
  if (pid !== null) {
    return { kind: 'session', pid, ...applicationOf(named), ...(user === null ? {} : { user }) };
  }
  return gid === null ? undefined : { kind: 'prepared', gid };
}

function applicationOf({ application }: { readonly application?: string }): {
  readonly application?: string;
} {
  return application === undefined ? {} : { application };
}

function keyOf(holder: WaitHolder): string {
  if (holder.kind === 'branch') return `${holder.transaction}:${holder.branch}`;
  return holder.kind === 'session' ? `${holder.pid}` : holder.gid;
}

/** The first waiter for a row waits for a transaction id; the row is the one whose `tuple` lock it holds. */
export function lockedThing(lock: SeenLock, locks: readonly SeenLock[]): BranchWait['on'] {
  const place =
    lock.kind === 'transactionid'
      ? locks.find((one) => one.kind === 'tuple' && one.granted && one.pid === lock.pid)
      : lock;
  const { relation = null, page = null, tuple = null } = place ?? {};
  return {
    kind: lock.kind,
    ...(relation === null ? {} : { relation }),
    ...(page === null || tuple === null ? {} : { row: `(${page},${tuple})` }),
  };
}
