/** Participants as the admin API shows them. A number that is absent is not known. */
import type { Open } from '../types.js';
import type { ActionNeeds } from './needs.js';
import type { Blocker, SessionWait } from './waits.js';

export interface ParticipantSummary {
  readonly participant: string;
  /** `silent`: has answered before, and answers nothing now. */
  readonly state: Open<'up' | 'troubled' | 'silent'>;
  readonly instances: number;
  /** Absent, as the numbers below it, where no instance that sees its database reports it: not known. */
  readonly inDoubt?: number;
  readonly slotsUsed?: number;
  readonly slotsMax?: number;
  readonly oldestMs?: number;
  /** That wait for what a branch holds, at work or prepared, or are branches that wait for others. */
  readonly blockedSessions?: number;
  /** That wait for a lock, with or without a session. */
  readonly waitingBranches?: number;
  readonly longestWaitMs?: number;
  readonly waitingWithoutSession?: number;
  /** While `inDoubt` is absent: what it was when its database was last seen. */
  readonly lastKnown?: { readonly inDoubt: number; readonly at: string };
  /** While `inDoubt` is absent: commits on record that it is not known to have acknowledged. */
  readonly undelivered?: number;
  readonly lastError?: string;
  /** When it last answered. */
  readonly lastSeenAt?: string;
}

/** `GET /v1/admin/participants` and `/v1/admin/participants/{name}` */
export interface AdminParticipant extends ParticipantSummary {
  readonly instanceReports: readonly {
    readonly instance: string;
    readonly version: string;
    readonly operations?: readonly string[];
    readonly openBranches?: number;
    readonly limits?: { readonly sessionsMax: number; readonly inDoubtMax: number };
    readonly database?: { readonly name: string; readonly version: string };
    readonly lookedAt?: string;
    readonly lastError?: string;
  }[];
  /** The oldest of its prepared branches, with what they hold. At most 200. Absent: not known. */
  readonly prepared?: readonly PreparedBranch[];
  /** Who waits there, the longest first; at most 50. Absent: not known. */
  readonly lockWaits?: readonly SessionWait[];
  /** Who holds something up there, the longest first; at most 50. */
  readonly blockers?: readonly Blocker[];
  readonly checks: readonly Check[];
  readonly actions: readonly ParticipantAction[];
  /** What `If-Match` must carry to retire it. */
  readonly etag: string;
}

export interface ParticipantAction {
  readonly action: 'retire';
  readonly offered: boolean;
  /** Why not, where `offered` is false. */
  readonly because?: string;
  readonly consequence: string;
  readonly needs: ActionNeeds;
}

/** `POST /v1/admin/participants/{name}/retire` with `If-Match`. */
export interface RetireRequest {
  readonly reason?: string;
  readonly ticket?: string;
  readonly confirm?: string;
}

export interface RetireResult {
  readonly participant: string;
  readonly summary: string;
  readonly auditId: string;
}

export interface AdminParticipantList {
  readonly participants: readonly AdminParticipant[];
  readonly serverTime: string;
}

/** A branch as its participant's database shows it. */
export interface PreparedBranch {
  readonly gid: string;
  readonly transactionId: string;
  readonly branch: string;
  readonly participant: string;
  /** How long it has been prepared, by the database's clock. */
  readonly heldMs: number;
  /** Age of its transaction id: how much vacuum must keep. */
  readonly xidAge?: number;
  readonly locks: readonly LockHeld[];
  readonly waiters: readonly Waiter[];
  /** More is locked, or more wait, than could be listed: an empty list is no answer then. */
  readonly truncated?: true;
}

export interface LockHeld {
  readonly relation: string;
  readonly mode: string;
  /** Rows of the relation it has locked or written, where the database shows it; at most 20. */
  readonly rows?: readonly string[];
}

/** A session that waits, directly or behind another waiter. */
export interface Waiter {
  readonly pid: number;
  readonly waitingMs?: number;
  /** What it waits for: a row of a relation, the relation, or the session ahead of it. */
  readonly relation?: string;
  readonly mode?: string;
  /** Pid ahead of it in the queue; absent when it waits for the branch itself. */
  readonly behind?: number;
  readonly application?: string;
  /** Only where the participant's role may see it (pg_monitor). Literals are removed. */
  readonly query?: string;
}

/** One setting that two-phase commit depends on. */
export interface Check {
  readonly name: string;
  readonly at: string;
  readonly result: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly found: string;
  readonly remedy?: string;
}
