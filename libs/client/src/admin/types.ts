/**
 * What travels over the coordinator's admin API (`/v1/admin`), as types: the contract between the
 * coordinator, the admin view and the command line. Guards "say why, and what happens next": every
 * transaction carries one sentence and the list of actions with the reason where one is not offered.
 */
import type {
  AbortCause,
  BranchState,
  Decision,
  Open,
  TimelineEvent,
  Transaction,
  TransactionStatus,
} from '../types.js';
import type { ActionNeeds, AdminRole } from './needs.js';
import type { Check, ParticipantSummary, PreparedBranch } from './participants.js';
import type { Blocker, Blocks, SessionWait, WaitCycle } from './waits.js';

/** `GET /v1/admin/session`: the caller, and what this coordinator allows. */
export interface AdminSession {
  readonly principal: string;
  readonly role: AdminRole;
  /** Whether force is enabled at the coordinator at all. */
  readonly forceEnabled: boolean;
  readonly clusterId: string;
  readonly incarnation: string;
  readonly version: string;
  readonly serverTime: string;
}

/** One bucket of the age histogram: in doubt for at least `fromMs`, below the next bucket's. */
export interface AgeBucket {
  readonly fromMs: number;
  readonly count: number;
}

/** `GET /v1/admin/overview` */
export interface AdminOverview {
  /** As `stuck`, `heuristic`, `abortReasons`, `coordinators`: absent while the register does not answer. */
  readonly inDoubt?: {
    /** Commits on record that some branch has not acknowledged, and branches that wait undecided. */
    readonly transactions: number;
    readonly oldestMs?: number;
    readonly oldestTransactionId?: string;
    readonly histogram: readonly AgeBucket[];
  };
  /** Branches prepared in the databases of the participants that are not in `notSeen`. */
  readonly preparedBranches: number;
  readonly stuck?: number;
  readonly heuristic?: number;
  /** Absent before the first comparison. */
  readonly orphans?: number;
  /** Of the participants below that report theirs. */
  readonly blockedSessions: number;
  /** Participants of which it is not known what is prepared there. */
  readonly notSeen: readonly string[];
  /** Participants that the last comparison with the register could not look into. */
  readonly notCompared: readonly string[];
  readonly throughput: {
    readonly committedPerSecond: number;
    readonly abortedPerSecond: number;
    /** The window the rates are taken over. */
    readonly windowMs: number;
    /** Committed and aborted per second in equal steps over the last ten minutes, oldest first. */
    readonly history: readonly {
      readonly at: string;
      readonly committed: number;
      readonly aborted: number;
    }[];
  };
  /** From the request to the durable decision, of this coordinator. Absent before the first one. */
  readonly decisionLatency?: { readonly p50Ms: number; readonly p99Ms: number };
  readonly abortReasons?: readonly { readonly kind: AbortCause['kind']; readonly count: number }[];
  readonly recovery: {
    /** Commits on record whose finisher is gone, waiting to be taken over. */
    readonly backlog?: number;
    /** Transactions live in this coordinator's memory. */
    readonly live: number;
  };
  readonly coordinators?: readonly {
    readonly incarnation: string;
    readonly self: boolean;
    readonly startedAt: string;
    readonly seenMsAgo: number;
  }[];
  readonly participants: readonly ParticipantSummary[];
  readonly register: { readonly up: boolean; readonly lastError?: string };
  readonly broker: { readonly up: boolean; readonly lastError?: string };
  readonly serverTime: string;
}

export type AdminView = 'stuck' | 'in-doubt' | 'deciding' | 'heuristic' | 'recent-aborts' | 'all';

/** `GET /v1/admin/transactions?view=&status=&participant=&label=&principal=&olderThan=&q=&sort=&limit=&cursor=` */
export interface AdminListRequest {
  readonly view?: AdminView;
  readonly status?: TransactionStatus;
  readonly participant?: string;
  readonly label?: string;
  readonly principal?: string;
  /** `5m`, `2h`, `1d`, or milliseconds. */
  readonly olderThan?: string;
  /** A transaction id or the beginning of one. */
  readonly q?: string;
  /** `harm` (default of stuck, in-doubt): blocked sessions, then age · `newest` · `oldest` */
  readonly sort?: 'harm' | 'newest' | 'oldest';
  /** 1 to 500, 50 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface AdminTransactionList {
  readonly transactions: readonly TransactionRow[];
  readonly nextCursor?: string;
  /** Of the whole view, exact up to 10,000; beyond it `isMore`. */
  readonly count?: { readonly value: number; readonly isMore: boolean };
  /** With the first page of the stuck: who holds branches up and is none of ours. */
  readonly blockers?: readonly Blocker[];
  readonly serverTime: string;
}

export interface TransactionRow {
  readonly transactionId: string;
  readonly label?: string;
  readonly principal?: string;
  readonly status: TransactionStatus;
  readonly decision?: Decision;
  readonly begunAt: string;
  readonly decidedAt?: string;
  readonly endedAt?: string;
  /** How long it has been in its present status. */
  readonly inStatusMs: number;
  readonly branchesDone: number;
  readonly branchesTotal: number;
  readonly participants: readonly string[];
  readonly waitingOn: readonly string[];
  readonly attempts: number;
  readonly nextAttemptAt?: string;
  readonly lastError?: string;
  /** Absent where a participant of it does not report it. */
  readonly blockedSessions?: number;
  readonly blocks?: Blocks;
  readonly why: string;
  readonly version: string;
}

/** Why a transaction is where it is, in words. */
export interface Explanation {
  /** One sentence: what holds it up. */
  readonly why: string;
  /** One sentence: what happens next by itself, or what a person must do. */
  readonly next: string;
  /** When it happens, if it happens by itself at a known moment. */
  readonly nextAt?: string;
  readonly severity: 'fine' | 'waiting' | 'stuck' | 'heuristic';
}

export type ActionName =
  'retry' | 'abort' | 'acknowledge' | 'force-commit-branch' | 'force-abort-branch';

/** An action as it is offered now, or why it is not. The opposite of a decision on record never is. */
export interface OfferedAction {
  readonly action: ActionName;
  readonly branch?: string;
  readonly offered: boolean;
  /** Why not, where `offered` is false. */
  readonly because?: string;
  /** What it will do, in a sentence; of force: which services will disagree. */
  readonly consequence: string;
  readonly needs: ActionNeeds;
}

/** `GET /v1/admin/transactions/{id}`, with an ETag for `If-Match`. */
export interface AdminTransaction {
  readonly transaction: Transaction;
  readonly explanation: Explanation;
  readonly branches: readonly AdminBranch[];
  readonly events: readonly TimelineEvent[];
  readonly actions: readonly OfferedAction[];
  readonly audit: readonly AuditEntry[];
  readonly blocks?: Blocks;
  /** Who waits for what it holds, the longest first; at most 50. */
  readonly waiters?: readonly SessionWait[];
  /** Cycles of waits that it is in, was the victim of, or was in lately. */
  readonly cycles?: readonly WaitCycle[];
  readonly finisher?: string;
  readonly ownerAlive?: boolean;
  /** What `If-Match` must carry. */
  readonly etag: string;
  readonly serverTime: string;
}

export interface AdminBranch extends BranchState {
  readonly gid: string;
  /** What its database says now. `finished`: it has acknowledged its outcome. */
  readonly inDatabase: Open<'prepared' | 'not-prepared' | 'finished' | 'not-known'>;
  /** What it holds there, where that is known. */
  readonly prepared?: PreparedBranch;
  /**
   * Whether the participant answered when this was made; `unknown`: no instance ever answered under its name.
   */
  readonly participantState: Open<'up' | 'troubled' | 'silent' | 'unknown'>;
  /** When its participant last answered. */
  readonly participantSeenAt?: string;
  /**
   * Exact statements for a person at the participant's database. `COMMIT PREPARED` only if commit is decided.
   */
  readonly runbook: readonly { readonly explanation: string; readonly sql: string }[];
}

/** `POST /v1/admin/transactions/{id}/actions` with `If-Match`. */
export interface ActionRequest {
  readonly action: ActionName;
  readonly branch?: string;
  readonly reason?: string;
  readonly ticket?: string;
  readonly confirm?: string;
}

export interface ActionResult {
  readonly transactionId: string;
  readonly action: ActionName;
  /** One per branch that was acted on: what happened, not that it was asked. */
  readonly branches: readonly {
    readonly branch: string;
    readonly participant: string;
    readonly result: Open<'done' | 'sent' | 'unreachable' | 'refused' | 'nothing-to-do'>;
    readonly detail?: string;
  }[];
  readonly summary: string;
  readonly auditId: string;
  readonly transaction: Transaction;
  readonly etag: string;
}

/** `GET /v1/admin/orphans`: found by comparing participants' databases with the register, both ways. */
export interface AdminOrphanList {
  readonly orphans: readonly Orphan[];
  /** Participants that the last comparison could not look into, so that nothing is known of theirs. */
  readonly notCompared: readonly { readonly participant: string; readonly why: string }[];
  readonly comparedAt?: string;
  readonly serverTime: string;
}

export interface Orphan {
  readonly gid: string;
  readonly transactionId: string;
  readonly branch: string;
  readonly participant: string;
  readonly kind: Open<
    /** Prepared there, and neither live nor decided here. */
    | 'prepared-unknown'
    /** Prepared there, decided here, and no coordinator finishes it. */
    | 'prepared-decided'
    /** Prepared there, and past retention: the decision is no longer known. */
    | 'prepared-forgotten'
    /** Committed there, and not committed here. */
    | 'committed-undecided'
    /** Decided commit here, not acknowledged, and neither prepared nor committed there. */
    | 'decided-lost'
  >;
  readonly heldMs?: number;
  readonly prepared?: PreparedBranch;
  /** What the register says it must become, where it says so. */
  readonly verdict?: Decision;
  /** One sentence: what was found where. */
  readonly evidence: string;
  /** Where its participant could not be compared the last time: when it was found. It may be gone. */
  readonly foundAt?: string;
  readonly next: string;
  readonly actions: readonly OrphanAction[];
  /** What `If-Match` must carry to act on it. */
  readonly etag: string;
}

export interface OrphanAction {
  /** `finish`: as the register says. The force ones only where the register has forgotten. */
  readonly action: 'finish' | 'record-heuristic' | 'force-commit' | 'force-abort';
  readonly offered: boolean;
  readonly because?: string;
  readonly consequence: string;
  readonly needs: OfferedAction['needs'];
}

/** `POST /v1/admin/orphans/actions` with `If-Match`: the `etag` of the orphan as it was seen. */
export interface OrphanActionRequest {
  readonly gid: string;
  readonly participant: string;
  readonly action: OrphanAction['action'];
  readonly reason?: string;
  readonly ticket?: string;
  readonly confirm?: string;
}

export interface OrphanActionResult {
  readonly gid: string;
  readonly result: Open<'done' | 'unreachable' | 'refused' | 'nothing-to-do'>;
  readonly summary: string;
  readonly auditId: string;
}

/** `POST /v1/admin/operations`: bulk work as a resource. */
export interface OperationRequestBody {
  readonly action: 'retry' | 'abort-undecided';
  /** Either explicit ids or a filter, which is frozen to the ids it matches now (at most 10,000). */
  readonly transactionIds?: readonly string[];
  readonly filter?: Omit<AdminListRequest, 'limit' | 'cursor' | 'sort'>;
  readonly reason: string;
  readonly ticket?: string;
}

/**
 * Created as a dry run (`planned`); `POST …/{id}/start` with the typed count begins it, `…/cancel` ends it,
 * both with `If-Match`.
 */
export interface AdminOperation {
  readonly operationId: string;
  readonly action: OperationRequestBody['action'];
  readonly state: Open<'planned' | 'running' | 'done' | 'cancelled' | 'interrupted'>;
  readonly by: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly total: number;
  readonly counts: {
    readonly waiting: number;
    readonly done: number;
    readonly skipped: number;
    readonly failed: number;
  };
  /** What `start` needs in `confirm`: the count, when above 10. */
  readonly confirm?: string;
  /** What `If-Match` must carry to start or cancel it. Progress alone does not change it. */
  readonly etag: string;
}

export interface OperationItem {
  readonly transactionId: string;
  readonly result: Open<'waiting' | 'done' | 'skipped' | 'failed'>;
  readonly detail?: string;
  readonly at?: string;
}

export interface AdminOperationDetail extends AdminOperation {
  readonly items: readonly OperationItem[];
  readonly nextCursor?: string;
}

export interface AdminOperationList {
  readonly operations: readonly AdminOperation[];
  readonly serverTime: string;
}

/** `GET /v1/admin/audit?transactionId=&by=&limit=&cursor=`, newest first. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly nextCursor?: string;
  /** Whether every entry of the page links to the one before it. */
  readonly chainIntact: boolean;
  readonly serverTime: string;
}

/** Written before the action is carried out; the result follows as an entry of its own. */
export interface AuditEntry {
  readonly auditId: string;
  readonly at: string;
  readonly by: string;
  readonly role: AdminRole;
  readonly from?: string;
  readonly action: string;
  readonly transactionId?: string;
  readonly branch?: string;
  readonly gid?: string;
  readonly reason?: string;
  readonly ticket?: string;
  /** `asked` before it is done, then `done`, `refused` or `failed` with the id it answers. */
  readonly phase: 'asked' | 'done' | 'refused' | 'failed';
  readonly answers?: string;
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  /** SHA-256 over this entry and the hash of the one before it. */
  readonly hash: string;
}

/** `GET /v1/admin/doctor` */
export interface AdminDoctor {
  readonly checks: readonly Check[];
  readonly serverTime: string;
}

/**
 * `GET /v1/admin/events` as server-sent events, resumed by `Last-Event-ID`. They say what changed;
 * the page then asks again. After a gap that cannot be filled comes `reset`.
 */
export type AdminEvent =
  | {
      readonly type: 'transaction';
      readonly transactionId: string;
      readonly status: TransactionStatus;
    }
  | { readonly type: 'participants' }
  | { readonly type: 'overview' }
  | { readonly type: 'orphans' }
  | { readonly type: 'operation'; readonly operationId: string }
  | { readonly type: 'audit' }
  | { readonly type: 'reset' };
