/**
 * Who waits for which branch, from one look at the lock table. Guards "all that wait are counted":
 * the first waiter waits for the branch, the others for the session ahead of them, so the chain is followed
 * to its end. Pure: no clock, no database.
 */
import type { WaiterReport } from '@concordat/engine';
import { readNameOfSession } from '../postgres/branch.sql.js';
import { withoutLiterals } from './redact.js';

/** A session that waits, as the lock table shows it. */
export interface QueuedSession {
  readonly pid: number;
  /** The lock it waits for. */
  readonly tag: string;
  readonly mode: string;
  /** Whom it waits for; 0 is a prepared transaction. */
  readonly ahead: readonly number[];
  readonly waitingMs: number | null;
  readonly relation: string | null;
  readonly page: number | null;
  readonly tuple: number | null;
  readonly application: string | null;
  readonly query: string | null;
}

/** A branch that holds a lock somebody waits for. */
export interface LockHolder {
  readonly tag: string;
  readonly gid: string;
  readonly mode: string;
}

/** Modes that a mode conflicts with, by the table of the Postgres manual on explicit locking. */
const CONFLICTS: Readonly<Record<string, readonly string[]>> = (() => {
  const [as, rs, re, sue, s, sre, e, ae] = [
    'AccessShareLock',
    'RowShareLock',
    'RowExclusiveLock',
    'ShareUpdateExclusiveLock',
    'ShareLock',
    'ShareRowExclusiveLock',
    'ExclusiveLock',
    'AccessExclusiveLock',
  ] as const;
  return {
    [as]: [ae],
    [rs]: [e, ae],
    [re]: [s, sre, e, ae],
    [sue]: [sue, s, sre, e, ae],
    [s]: [re, sue, sre, e, ae],
    [sre]: [re, sue, s, sre, e, ae],
    [e]: [rs, re, sue, s, sre, e, ae],
    [ae]: [as, rs, re, sue, s, sre, e, ae],
  };
})();

/** What waits for each branch, nearest first. Branches without waiters are not in it. */
export function waitersByBranch(
  queue: readonly QueuedSession[],
  holders: readonly LockHolder[],
): Map<string, WaiterReport[]> {
  const holdersOf = groupBy(holders, (one) => one.tag);
  const followers = new Map<number, QueuedSession[]>();
  for (const session of queue) {
    for (const pid of new Set(session.ahead)) {
      if (pid === 0 || pid === session.pid) continue;
      followers.set(pid, [...(followers.get(pid) ?? []), session]);
    }
  }
  const direct = new Map<string, QueuedSession[]>();
  for (const session of queue) {
    if (!session.ahead.includes(0)) continue;
    for (const { gid, mode } of holdersOf.get(session.tag) ?? []) {
      if (!conflict(session.mode, mode)) continue;
      direct.set(gid, [...(direct.get(gid) ?? []), session]);
    }
  }
  return new Map([...direct].map(([gid, first]) => [gid, follow(first, followers)]));
}

/** All distinct sessions that wait for any branch. */
export function blockedSessions(byBranch: ReadonlyMap<string, readonly WaiterReport[]>): number {
  const pids = new Set<number>();
  for (const waiters of byBranch.values()) for (const { pid } of waiters) pids.add(pid);
  return pids.size;
}

function follow(
  first: readonly QueuedSession[],
  followers: ReadonlyMap<number, readonly QueuedSession[]>,
): WaiterReport[] {
  const reports = new Map<number, WaiterReport>();
  const open: number[] = [];
  for (const session of first) {
    if (reports.has(session.pid)) continue;
    reports.set(session.pid, reportOf(session));
    open.push(session.pid);
  }
  for (let pid = open.shift(); pid !== undefined; pid = open.shift()) {
    for (const session of followers.get(pid) ?? []) {
      if (reports.has(session.pid)) continue;
      reports.set(session.pid, reportOf(session, pid));
      open.push(session.pid);
    }
  }
  return [...reports.values()];
}

function reportOf(session: QueuedSession, behind?: number): WaiterReport {
  const { pid, waitingMs, relation, page, tuple, mode, query } = session;
  const { application } = readNameOfSession(session.application ?? '');
  return {
    pid,
    ...(waitingMs === null ? {} : { waitingMs }),
    ...(relation === null ? {} : { relation }),
    ...(page === null || tuple === null ? {} : { row: `(${page},${tuple})` }),
    mode,
    ...(behind === undefined ? {} : { behind }),
    ...(application ? { application } : {}),
    ...(query ? { query: withoutLiterals(query) } : {}),
  };
}

/** Whether a lock of one mode must wait for one of the other. */
export function conflict(wanted: string, held: string): boolean {
  return CONFLICTS[wanted]?.includes(held) ?? true;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
