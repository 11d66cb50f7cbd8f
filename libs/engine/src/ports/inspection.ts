/**
 * What a participant can be asked about itself and what it answers: prepared branches, what they block, what
 * its outcome table says, its settings. Guards "say what the database shows, and mark what was left out":
 * every list is bounded, and a shortened list says so. Gids, relations and row locations travel, never
 * inputs, outputs or values.
 */
import type {
  BranchId,
  Gid,
  InstanceId,
  ParticipantName,
  TransactionId,
} from '@concordat/protocol';
import type { Answer } from './answer.js';
import type { BranchWait, LockWaits } from './waits.js';

/** What to look at in addition. A participant that does not know a field answers without it. */
export interface Look {
  /** A page of the prepared branches, by gid; with none given, only counts are reported. */
  readonly prepared?: { readonly after?: string; readonly limit: number };
  /** What exactly these branches hold, who waits for them, and what became of them. At most 200. */
  readonly gids?: readonly string[];
  /** The same of the oldest so many prepared branches, where `gids` names none. At most 200. */
  readonly oldest?: number;
  /** A page of committed outcome rows, in the order of transaction ids. */
  readonly committed?: { readonly after?: OutcomeKey; readonly limit: number };
  /** Every setting that two-phase commit depends on, examined now. */
  readonly checks?: boolean;
  /** What these branches wait for now, and nothing else. At most 200 gids. */
  readonly waits?: readonly string[];
  /** Which of these branches a prepare has come for, and nothing else. At most 200 gids. */
  readonly heard?: readonly string[];
}

/** A key of the outcome table. */
export interface OutcomeKey {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
}

/** One instance's answer. Everything is optional: a participant may be older, or another's work. */
export interface InstanceReport {
  /** Branches at work and in doubt as this instance itself counts. */
  readonly working?: number;
  readonly inDoubt?: number;
  /** Branches of this instance that wait for a lock without a session, which was recalled. */
  readonly recalled?: number;
  /** It commits in one phase what it is the only participant of (protocol §4.6). */
  readonly onePhase?: true;
  readonly limits?: { readonly sessionsMax: number; readonly inDoubtMax: number };
  readonly operations?: readonly string[];
  readonly slots?: { readonly used: number; readonly max: number };
  /** In doubt in the database when it was last looked at, and since when the oldest. */
  readonly preparedCount?: number;
  readonly oldestMs?: number;
  /** Branches whose decision no coordinator knows any more. */
  readonly forgotten?: readonly string[];
  readonly lookedAtMs?: number;
  readonly lastError?: string;
  /** The last ones, newest first, at most ten. */
  readonly errors?: readonly {
    readonly atMs: number;
    readonly what: string;
    readonly message: string;
  }[];
  readonly database?: { readonly name: string; readonly version: string };
  /** Sessions that wait for prepared branches of this cluster, directly or behind each other. */
  readonly blocked?: {
    readonly sessions: number;
    /** By branch, the most blocking first, at most 200. */
    readonly branches: readonly { readonly gid: string; readonly sessions: number }[];
    readonly truncated?: boolean;
  };
  /** Who waits for whom in the whole database, as far as branches of this cluster are in it. */
  readonly lockWaits?: LockWaits;
  readonly page?: PreparedPage;
  readonly impact?: {
    readonly branches: readonly BranchImpact[];
    readonly truncated?: boolean;
  };
  /** What became of each asked gid. */
  readonly fates?: readonly { readonly gid: string; readonly fate: BranchFate }[];
  readonly committed?: CommittedPage;
  readonly checks?: readonly CheckReport[];
  readonly waits?: readonly BranchWait[];
  /** Those of the asked branches for which a prepare has come to this instance. */
  readonly heard?: readonly string[];
  /** With `heard`: for how long it has listened. */
  readonly listeningMs?: number;
  /** What could not be looked at, and why. */
  readonly failures?: readonly string[];
}

/** `nothing`: neither prepared nor an outcome row. `tombstone`: aborted, can never commit. */
export type BranchFate = 'prepared' | 'committed' | 'tombstone' | 'nothing';

export interface PreparedPage {
  readonly branches: readonly PreparedBranchReport[];
  /** Ask again after this one; absent on the last page. */
  readonly next?: string;
}

export interface PreparedBranchReport {
  readonly gid: Gid;
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  /** By the database's clock. */
  readonly heldMs: number;
}

/** What one prepared branch holds, and who waits for it. */
export interface BranchImpact {
  readonly gid: string;
  readonly heldMs: number;
  readonly xidAge: number;
  readonly locks: readonly LockReport[];
  readonly waiters: readonly WaiterReport[];
  /** Of all its waiters, the listed ones included. */
  readonly blockedSessions: number;
  /** More is locked, or more wait, than is listed. */
  readonly truncated?: boolean;
}

export interface LockReport {
  readonly relation: string;
  readonly mode: string;
  /** Rows that a session waits for, as `(page,tuple)`, the row's ctid. Other waits do not show a row. */
  readonly rows?: readonly string[];
}

export interface WaiterReport {
  readonly pid: number;
  readonly waitingMs?: number;
  /** What it waits for: a row of this relation, or the relation itself. */
  readonly relation?: string;
  readonly row?: string;
  readonly mode?: string;
  /** The session right ahead of it; absent when it waits for the branch itself. */
  readonly behind?: number;
  readonly application?: string;
  /** Without literals; absent where the role may not see it. */
  readonly query?: string;
}

export interface CommittedPage {
  readonly rows: readonly OutcomeKey[];
  /** Continue after this key; absent when the table was read to its end. */
  readonly next?: OutcomeKey;
}

export interface CheckReport {
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly found: string;
  readonly remedy?: string;
}

export interface InspectedInstance {
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  readonly version: string;
  readonly details: InstanceReport;
}

/** How a coordinator inspects participants. No answer is guaranteed, and a missing answer proves nothing. */
export abstract class ParticipantInspector {
  /** Why no participant can answer now, whether it is there or not; undefined while they can. */
  readonly away?: string | undefined;
  /** Every instance of every participant that answers now. */
  abstract roll(): Promise<readonly InspectedInstance[]>;
  /** Asks any one instance of a participant. */
  abstract look(participant: ParticipantName, look: Look): Promise<Answer<InspectedInstance>>;
}
