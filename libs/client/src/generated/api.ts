// Made from the schemas of libs/api by `npm run client-types`; do not edit.

/** An enum that may grow: known values complete in an editor, others are allowed. */
export type Open<Known extends string> = Known | (string & Record<never, never>);

/** Why a transaction aborted; of a vote, which branch said no, with its code. */
export interface AbortCause {
  readonly kind: Open<
    | 'vote'
    | 'unreachable'
    | 'deadline'
    | 'rollback-requested'
    | 'doubtful-work'
    | 'given-up'
    | 'idempotency-key'
    | 'operator'
    | 'undetermined'
  >;
  readonly branch?: string;
  readonly participant?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Participants whose vote was missing at the deadline. */
  readonly missing?: readonly string[];
  /** The transaction that committed under the same idempotency key. */
  readonly winner?: string;
}

export type ActionName =
  | 'retry'
  | 'abort'
  | 'acknowledge'
  | 'force-commit-branch'
  | 'force-abort-branch';

/** What an action needs before it is carried out. */
export interface ActionNeeds {
  readonly role: AdminRole;
  readonly reason: boolean;
  readonly ticket: boolean;
  /** Exactly what must be typed. */
  readonly confirm?: string;
}

export interface ActionRequest {
  readonly action: ActionName;
  readonly branch?: string;
  readonly reason?: string;
  /** Where the matter is written down. */
  readonly ticket?: string;
  /** What had to be typed. */
  readonly confirm?: string;
}

export interface ActionResult {
  readonly transactionId: string;
  readonly action: ActionName;
  /** One per branch that was acted on: what happened, not that it was asked. */
  readonly branches: readonly {
    readonly branch: string;
    readonly participant: string;
    readonly result: Open<
      | 'done'
      | 'sent'
      | 'unreachable'
      | 'refused'
      | 'nothing-to-do'
    >;
    readonly detail?: string;
  }[];
  readonly summary: string;
  readonly auditId: string;
  readonly transaction: Transaction;
  readonly etag: string;
}

export interface AdminBranch {
  readonly branch: string;
  readonly participant: string;
  readonly work: Open<'bundled' | 'open'>;
  /** Names; inputs are not kept. */
  readonly operations: readonly string[];
  readonly vote?: Vote;
  readonly outcome?: BranchOutcome;
  /** Outputs of the operations, in order. */
  readonly outputs?: readonly unknown[];
  /** Deliveries of the decision so far. */
  readonly attempts: number;
  readonly lastError?: string;
  /** RFC 3339, UTC. */
  readonly nextAttemptAt?: string;
  /** Of one undecided transaction, of branches that have not voted; no part of its version. */
  readonly waitsFor?: BranchWaits;
  readonly gid: string;
  /** What it holds there, where that is known. */
  readonly prepared?: PreparedBranch;
  /**
   * What its database says now; `finished`: it has acknowledged its outcome; `not-known`: no
   * instance answers.
   */
  readonly inDatabase: Open<
    | 'prepared'
    | 'not-prepared'
    | 'finished'
    | 'not-known'
  >;
  /**
   * Whether the participant answered when this was made; `unknown`: no instance ever answered under
   * its name.
   */
  readonly participantState: Open<'up' | 'troubled' | 'silent' | 'unknown'>;
  /** When its participant last answered. */
  readonly participantSeenAt?: string;
  /**
   * Exact statements for a person at the database of the participant; COMMIT PREPARED only if
   * commit is decided.
   */
  readonly runbook: readonly {
    readonly explanation: string;
    readonly sql: string;
  }[];
}

export interface AdminDoctor {
  readonly checks: readonly Check[];
  readonly serverTime: string;
}

/** What changed, to be asked for again; `reset`: a gap that cannot be filled, so everything. */
export type AdminEvent =
  | {
    readonly type: 'transaction';
    readonly transactionId: string;
    readonly status: TransactionStatus;
  }
  | {
    readonly type: 'participants';
  }
  | {
    readonly type: 'overview';
  }
  | {
    readonly type: 'orphans';
  }
  | {
    readonly type: 'operation';
    readonly operationId: string;
  }
  | {
    readonly type: 'audit';
  }
  | {
    readonly type: 'reset';
  };

export interface AdminListRequest {
  readonly view?: AdminView;
  readonly status?:
    | 'active'
    | 'preparing'
    | 'deciding'
    | 'committing'
    | 'aborting'
    | 'committed'
    | 'aborted'
    | 'heuristic-mixed'
    | 'heuristic-hazard';
  /** Name of the service that takes part. */
  readonly participant?: string;
  readonly label?: string;
  readonly principal?: string;
  /** A duration such as 500ms, 20s, 5m, 2h or 1d; a number alone is seconds. */
  readonly olderThan?: string;
  readonly q?: string;
  readonly sort?: 'harm' | 'newest' | 'oldest';
  readonly limit?: number;
  readonly cursor?: string;
}

/** Bulk work: created as a dry run, begun by a start, ended by itself or by a cancel. */
export interface AdminOperation {
  readonly operationId: string;
  readonly action: 'retry' | 'abort-undecided';
  /** `interrupted`: its coordinator is gone; a start goes on with it. */
  readonly state: Open<
    | 'planned'
    | 'running'
    | 'done'
    | 'cancelled'
    | 'interrupted'
  >;
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
  /** What a start needs in `confirm`: the count, when above 10. */
  readonly confirm?: string;
  /** What If-Match must carry to start or cancel it. */
  readonly etag: string;
}

export interface AdminOperationDetail {
  readonly operationId: string;
  readonly action: 'retry' | 'abort-undecided';
  /** `interrupted`: its coordinator is gone; a start goes on with it. */
  readonly state: Open<
    | 'planned'
    | 'running'
    | 'done'
    | 'cancelled'
    | 'interrupted'
  >;
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
  /** What a start needs in `confirm`: the count, when above 10. */
  readonly confirm?: string;
  /** What If-Match must carry to start or cancel it. */
  readonly etag: string;
  readonly items: readonly OperationItem[];
  readonly nextCursor?: string;
}

export interface AdminOperationList {
  readonly operations: readonly AdminOperation[];
  readonly serverTime: string;
}

export interface AdminOrphanList {
  readonly orphans: readonly Orphan[];
  /** Participants that the last comparison could not look into. */
  readonly notCompared: readonly {
    readonly participant: string;
    readonly why: string;
  }[];
  readonly comparedAt?: string;
  readonly serverTime: string;
}

export interface AdminOverview {
  /** Absent: the register does not answer, so it is not known. */
  readonly inDoubt?: {
    /**
     * Commits on record that some branch has not acknowledged, and branches that wait undecided.
     */
    readonly transactions: number;
    readonly oldestMs?: number;
    readonly oldestTransactionId?: string;
    readonly histogram: readonly AgeBucket[];
  };
  /**
   * Of the participants that are not in notSeen; absent, not 0, where these report none and others
   * are in it.
   */
  readonly preparedBranches?: number;
  /** Absent: the register does not answer, so it is not known. */
  readonly stuck?: number;
  /** Absent: the register does not answer, so it is not known. */
  readonly heuristic?: number;
  /**
   * Found by the last comparison, and by earlier ones where notCompared says so; absent before the
   * first one, and where none is found and notCompared is not empty.
   */
  readonly orphans?: number;
  /**
   * Of the participants below that report theirs; absent, not 0, where these report none and others
   * do not report.
   */
  readonly blockedSessions?: number;
  /** Participants of which it is not known what is prepared there. */
  readonly notSeen: readonly string[];
  /** Participants that the last comparison could not look into. */
  readonly notCompared: readonly string[];
  readonly throughput: {
    readonly committedPerSecond: number;
    readonly abortedPerSecond: number;
    /** The window the rates are taken over. */
    readonly windowMs: number;
    /** Per second, in equal steps over the last ten minutes, oldest first. */
    readonly history: readonly {
      readonly at: string;
      readonly committed: number;
      readonly aborted: number;
    }[];
  };
  /**
   * From the request to the durable decision, of this coordinator; absent before the first one.
   */
  readonly decisionLatency?: {
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  /** Absent: the register does not answer, so it is not known. */
  readonly abortReasons?: readonly {
    readonly kind: Open<
      | 'vote'
      | 'unreachable'
      | 'deadline'
      | 'rollback-requested'
      | 'doubtful-work'
      | 'given-up'
      | 'idempotency-key'
      | 'operator'
      | 'undetermined'
    >;
    readonly count: number;
  }[];
  readonly recovery: {
    /**
     * Commits on record whose finisher is gone; absent: the register does not answer, so it is not
     * known.
     */
    readonly backlog?: number;
    /** Transactions in the memory of this coordinator. */
    readonly live: number;
  };
  /** Absent: the register does not answer, so it is not known. */
  readonly coordinators?: readonly {
    readonly incarnation: string;
    readonly self: boolean;
    readonly startedAt: string;
    readonly seenMsAgo: number;
  }[];
  readonly participants: readonly ParticipantSummary[];
  readonly register: {
    readonly up: boolean;
    readonly lastError?: string;
  };
  readonly broker: {
    readonly up: boolean;
    readonly lastError?: string;
  };
  readonly serverTime: string;
}

export interface AdminParticipant {
  readonly participant: string;
  /** `silent`: has answered before, and answers nothing now. */
  readonly state: Open<'up' | 'troubled' | 'silent'>;
  readonly instances: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly inDoubt?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly slotsUsed?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly slotsMax?: number;
  readonly oldestMs?: number;
  /**
   * That wait for what a branch holds, at work or prepared, or are branches that wait for others;
   * absent: not known, because no instance that sees its database reports it.
   */
  readonly blockedSessions?: number;
  /**
   * That wait for a lock, with or without a session; absent: not known, because no instance that
   * sees its database reports it.
   */
  readonly waitingBranches?: number;
  /** Of these branches. */
  readonly longestWaitMs?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly waitingWithoutSession?: number;
  /** While inDoubt is absent: what it was when its database was last seen. */
  readonly lastKnown?: {
    readonly inDoubt: number;
    readonly at: string;
  };
  /**
   * While inDoubt is absent: commits on record that it is not known to have acknowledged; absent
   * also where the register does not answer.
   */
  readonly undelivered?: number;
  readonly lastError?: string;
  /** When it last answered. */
  readonly lastSeenAt?: string;
  readonly instanceReports: readonly {
    readonly instance: string;
    readonly version: string;
    readonly operations?: readonly string[];
    readonly openBranches?: number;
    readonly limits?: {
      readonly sessionsMax: number;
      readonly inDoubtMax: number;
    };
    readonly database?: {
      readonly name: string;
      readonly version: string;
    };
    readonly lookedAt?: string;
    readonly lastError?: string;
  }[];
  /** The oldest; at most 200; absent: not known. */
  readonly prepared?: readonly PreparedBranch[];
  /** Who waits there, the longest first; at most 50; absent: not known. */
  readonly lockWaits?: readonly SessionWait[];
  /** Who holds something up there, the longest first; at most 50. */
  readonly blockers?: readonly Blocker[];
  readonly checks: readonly Check[];
  readonly actions: readonly ParticipantAction[];
  /** What If-Match must carry to retire it. */
  readonly etag: string;
}

export interface AdminParticipantList {
  readonly participants: readonly AdminParticipant[];
  readonly serverTime: string;
}

/** What a key may do: look; act by the rules; act against them, where the site enables it. */
export type AdminRole = 'viewer' | 'operator' | 'force';

export interface AdminSession {
  /** Id of the key. */
  readonly principal: string;
  readonly role: AdminRole;
  /** Whether force is enabled here at all. */
  readonly forceEnabled: boolean;
  readonly clusterId: string;
  readonly incarnation: string;
  readonly version: string;
  readonly serverTime: string;
}

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
  /** Of waits that it is in, was the victim of, or was in lately. */
  readonly cycles?: readonly WaitCycle[];
  readonly finisher?: string;
  readonly ownerAlive?: boolean;
  /** What If-Match must carry. */
  readonly etag: string;
  readonly serverTime: string;
}

export interface AdminTransactionList {
  readonly transactions: readonly TransactionRow[];
  readonly nextCursor?: string;
  /** Of the whole list, on its first page; exact up to 10,000. */
  readonly count?: {
    readonly value: number;
    readonly isMore: boolean;
  };
  /**
   * With the first page of the stuck: sessions and prepared transactions that are none of ours and
   * hold branches up.
   */
  readonly blockers?: readonly Blocker[];
  readonly serverTime: string;
}

export type AdminView =
  | 'stuck'
  | 'in-doubt'
  | 'deciding'
  | 'heuristic'
  | 'recent-aborts'
  | 'all';

/** In doubt for at least `fromMs`, below that of the next bucket. */
export interface AgeBucket {
  readonly fromMs: number;
  readonly count: number;
}

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
  /** `asked` before it is done; then what came of it, in an entry of its own. */
  readonly phase: 'asked' | 'done' | 'refused' | 'failed';
  /** The entry whose result this is. */
  readonly answers?: string;
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  /** SHA-256 over this entry and the hash of the one before. */
  readonly hash: string;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly nextCursor?: string;
  /** Whether every entry of the page links to the one before it. */
  readonly chainIntact: boolean;
  readonly serverTime: string;
}

export interface AuditRequest {
  readonly transactionId?: string;
  readonly by?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

export interface BeginTransaction {
  /** For people; shown in lists. */
  readonly label?: string;
  /**
   * Milliseconds until an undecided transaction is aborted; in one phase, until its participant is
   * asked.
   */
  readonly timeoutMs?: number;
  /** True: the whole transaction in this one call. */
  readonly commit?: boolean;
  /**
   * Of a transaction in one call: whether it is tried again, while its time lasts and the request
   * waits, when it lost to others or found no capacity; true when absent.
   */
  readonly retry?: boolean;
  /**
   * Of a transaction in one call: whether its participants are asked one after another, all at
   * once, or, when absent, as it suits what collides at the moment.
   */
  readonly prepare?: 'ordered' | 'parallel' | 'auto';
  readonly branches?: readonly BranchRequest[];
}

/** Who holds something up at a participant. */
export interface Blocker {
  /** That wait for it. */
  readonly sessions: number;
  /** Whose branches are among them. */
  readonly transactions: readonly string[];
  /** When the first of them began to wait. */
  readonly since: string;
  readonly asOf: string;
  readonly participant: string;
  readonly holder: LockHolder;
}

/** What waits for something that the transaction holds. */
export interface Blocks {
  /** That wait for it. */
  readonly sessions: number;
  /** Whose branches are among them. */
  readonly transactions: readonly string[];
  /** When the first of them began to wait. */
  readonly since: string;
  readonly asOf: string;
  readonly participants: readonly string[];
}

/** What happened to the branch. */
export interface BranchOutcome {
  readonly kind: Open<'committed' | 'aborted' | 'heuristic'>;
  readonly evidence?: {
    readonly decision: Decision;
    readonly found: Open<
      | 'rolled-back'
      | 'missing'
      | 'committed'
      | 'unknown'
    >;
    readonly explanation: string;
  };
}

/** One participant’s share: its operations, in order. */
export interface BranchRequest {
  /** Name of the service that takes part. */
  readonly participant: string;
  readonly operations: readonly OperationRequest[];
}

export interface BranchState {
  readonly branch: string;
  readonly participant: string;
  readonly work: Open<'bundled' | 'open'>;
  /** Names; inputs are not kept. */
  readonly operations: readonly string[];
  readonly vote?: Vote;
  readonly outcome?: BranchOutcome;
  /** Outputs of the operations, in order. */
  readonly outputs?: readonly unknown[];
  /** Deliveries of the decision so far. */
  readonly attempts: number;
  readonly lastError?: string;
  /** RFC 3339, UTC. */
  readonly nextAttemptAt?: string;
  /** Of one undecided transaction, of branches that have not voted; no part of its version. */
  readonly waitsFor?: BranchWaits;
}

/** Of a branch that has not voted: the locks it waits for. */
export interface BranchWaits {
  /**
   * False: whether it waits is not known; its participant does not report its waits, or not all.
   */
  readonly known: boolean;
  /** When it was last reported. */
  readonly asOf?: string;
  readonly waits: readonly LockWait[];
}

/** A setting that two-phase commit depends on. */
export interface Check {
  readonly name: string;
  /** Register, broker, coordinator, or a participant. */
  readonly at: string;
  readonly result: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly found: string;
  readonly remedy?: string;
}

export interface ClusterState {
  /** Scopes every gid and every NATS subject. */
  readonly clusterId: string;
  /** This coordinator, from its start to its end. */
  readonly incarnation: string;
  readonly serverTime: string;
}

export type Commit = Readonly<Record<string, never>>;

export type Decision = 'commit' | 'abort';

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

export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface LockHeld {
  readonly relation: string;
  readonly mode: string;
  /** Rows that somebody waits for, by place; at most 20. */
  readonly rows?: readonly string[];
}

/** Clients see transactions; pid, application, user and gid are for viewers. */
export interface LockHolder {
  /** `prepared`: a prepared transaction that is no branch of this cluster. */
  readonly kind: Open<'branch' | 'session' | 'prepared'>;
  readonly transactionId?: string;
  readonly branch?: string;
  readonly prepared?: boolean;
  /** The transaction's, where this coordinator knows it. */
  readonly status?: string;
  readonly pid?: number;
  readonly application?: string;
  readonly user?: string;
  readonly gid?: string;
}

export interface LockWait {
  readonly for: {
    /** `locktype` of pg_locks. */
    readonly kind: string;
    readonly relation?: string;
    /** Its place, `(page,tuple)`; never a value. */
    readonly row?: string;
  };
  readonly since: string;
  /**
   * The holders, or those ahead in its queue where only that is reported; empty: that is not seen,
   * or it only waits for its turn.
   */
  readonly heldBy: readonly LockHolder[];
  /** Those before it in the queue, where that is reported. */
  readonly ahead?: number;
  /**
   * It waits for its turn without a session: what it waits for and who holds that was seen before
   * it gave its session back, or is what others like it wait for.
   */
  readonly withoutSession?: true;
}

/** The moment to wait for. */
export type Moment = 'decided' | 'completed';

/**
 * An action as it is offered now, or why it is not; the opposite of a decision on record never is.
 */
export interface OfferedAction {
  readonly action: ActionName;
  readonly branch?: string;
  readonly offered: boolean;
  /** Why it is not offered. */
  readonly because?: string;
  /** What it will do, in a sentence; of force, which services will disagree. */
  readonly consequence: string;
  readonly needs: ActionNeeds;
}

export type OperationCancel = Readonly<Record<string, never>>;

export interface OperationItem {
  readonly transactionId: string;
  readonly result: Open<'waiting' | 'done' | 'skipped' | 'failed'>;
  /** Its result; while it waits, the expected result. */
  readonly detail?: string;
  readonly at?: string;
}

export interface OperationRequest {
  /** What its participant calls it. */
  readonly name: string;
  /**
   * What the operation takes; {} when absent. A number that a double does not hold
   * (9007199254740993, 1e400) is refused: send it as text.
   */
  readonly input?: unknown;
}

export interface OperationRequestBody {
  readonly action: 'retry' | 'abort-undecided';
  /** Or a filter: exactly one of the two. */
  readonly transactionIds?: readonly string[];
  /** Is frozen to the ids that it matches now, at most 10,000. */
  readonly filter?: {
    readonly view?: AdminView;
    readonly status?:
      | 'active'
      | 'preparing'
      | 'deciding'
      | 'committing'
      | 'aborting'
      | 'committed'
      | 'aborted'
      | 'heuristic-mixed'
      | 'heuristic-hazard';
    /** Name of the service that takes part. */
    readonly participant?: string;
    readonly label?: string;
    readonly principal?: string;
    /** A duration such as 500ms, 20s, 5m, 2h or 1d; a number alone is seconds. */
    readonly olderThan?: string;
    readonly q?: string;
  };
  readonly reason: string;
  readonly ticket?: string;
}

export interface OperationStart {
  readonly confirm?: string;
}

export interface Orphan {
  readonly gid: string;
  readonly transactionId: string;
  readonly branch: string;
  readonly participant: string;
  /**
   * `prepared-unknown`: prepared there, neither live nor decided here; `prepared-decided`: decided
   * here, and no coordinator finishes it; `prepared-forgotten`: past retention, the decision is no
   * longer known; `committed-undecided`: committed there, not here; `decided-lost`: decided commit
   * here, neither prepared nor committed there.
   */
  readonly kind: Open<
    | 'prepared-unknown'
    | 'prepared-decided'
    | 'prepared-forgotten'
    | 'committed-undecided'
    | 'decided-lost'
  >;
  readonly heldMs?: number;
  readonly prepared?: PreparedBranch;
  /** What the register says it must become, where it says so. */
  readonly verdict?: Decision;
  /** One sentence: what was found where. */
  readonly evidence: string;
  /**
   * When it was found, where its participant could not be compared the last time: whether it is
   * still there is not known.
   */
  readonly foundAt?: string;
  readonly next: string;
  readonly actions: readonly OrphanAction[];
  /** What If-Match must carry to act on it. */
  readonly etag: string;
}

export interface OrphanAction {
  /** `finish`: as the register says; the force ones only where the register has forgotten. */
  readonly action:
    | 'finish'
    | 'record-heuristic'
    | 'force-commit'
    | 'force-abort';
  readonly offered: boolean;
  readonly because?: string;
  readonly consequence: string;
  readonly needs: ActionNeeds;
}

export interface OrphanActionRequest {
  readonly gid: string;
  readonly participant: string;
  readonly action:
    | 'finish'
    | 'record-heuristic'
    | 'force-commit'
    | 'force-abort';
  readonly reason?: string;
  /** Where the matter is written down. */
  readonly ticket?: string;
  /** What had to be typed. */
  readonly confirm?: string;
}

export interface OrphanActionResult {
  readonly gid: string;
  readonly result: Open<
    | 'done'
    | 'unreachable'
    | 'refused'
    | 'nothing-to-do'
  >;
  readonly summary: string;
  readonly auditId: string;
}

export interface ParticipantAction {
  readonly action: 'retire';
  readonly offered: boolean;
  /** Why it is not offered. */
  readonly because?: string;
  readonly consequence: string;
  readonly needs: ActionNeeds;
}

export interface ParticipantList {
  readonly participants: readonly ParticipantState[];
  /** Have answered before and do not answer now: nothing is known of them. */
  readonly silent: readonly {
    readonly participant: string;
    readonly lastSeenAt?: string;
  }[];
  readonly serverTime: string;
}

export interface ParticipantState {
  readonly participant: string;
  /** One for each process that answered. */
  readonly instances: readonly {
    readonly instance: string;
    readonly version: string;
    /** What the instance says of itself: in-doubt counts, slots and more. */
    readonly report: Readonly<Record<string, unknown>>;
  }[];
}

export interface ParticipantSummary {
  readonly participant: string;
  /** `silent`: has answered before, and answers nothing now. */
  readonly state: Open<'up' | 'troubled' | 'silent'>;
  readonly instances: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly inDoubt?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly slotsUsed?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly slotsMax?: number;
  readonly oldestMs?: number;
  /**
   * That wait for what a branch holds, at work or prepared, or are branches that wait for others;
   * absent: not known, because no instance that sees its database reports it.
   */
  readonly blockedSessions?: number;
  /**
   * That wait for a lock, with or without a session; absent: not known, because no instance that
   * sees its database reports it.
   */
  readonly waitingBranches?: number;
  /** Of these branches. */
  readonly longestWaitMs?: number;
  /** Absent: not known, because no instance that sees its database reports it. */
  readonly waitingWithoutSession?: number;
  /** While inDoubt is absent: what it was when its database was last seen. */
  readonly lastKnown?: {
    readonly inDoubt: number;
    readonly at: string;
  };
  /**
   * While inDoubt is absent: commits on record that it is not known to have acknowledged; absent
   * also where the register does not answer.
   */
  readonly undelivered?: number;
  readonly lastError?: string;
  /** When it last answered. */
  readonly lastSeenAt?: string;
}

export interface PreparedBranch {
  readonly gid: string;
  readonly transactionId: string;
  readonly branch: string;
  readonly participant: string;
  /** How long it has been prepared, by the clock of the database. */
  readonly heldMs: number;
  /** Age of its transaction id: how much vacuum must keep. */
  readonly xidAge?: number;
  readonly locks: readonly LockHeld[];
  readonly waiters: readonly Waiter[];
  /** More is locked, or more wait, than is listed. */
  readonly truncated?: true;
}

/** RFC 9457 problem details. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable; see /problems. */
  readonly code: string;
  /** What happened and what happens next. */
  readonly detail: string;
  readonly retryable: boolean;
  readonly transactionId?: string;
  readonly errors?: readonly FieldError[];
  readonly decision?: Decision;
  readonly cause?: AbortCause;
  /** Of a transaction in one call: transactions that have tried it. */
  readonly attempts?: number;
}

export interface RetireRequest {
  readonly reason?: string;
  /** Where the matter is written down. */
  readonly ticket?: string;
  /** What had to be typed. */
  readonly confirm?: string;
}

export interface RetireResult {
  readonly participant: string;
  readonly summary: string;
  readonly auditId: string;
}

export interface Rollback {
  readonly reason?: string;
}

export interface RunOperations {
  /** Name of the service that takes part. */
  readonly participant: string;
  readonly operations: readonly OperationRequest[];
}

/** A wait, with who waits and where. */
export interface SessionWait {
  readonly for: {
    /** `locktype` of pg_locks. */
    readonly kind: string;
    readonly relation?: string;
    /** Its place, `(page,tuple)`; never a value. */
    readonly row?: string;
  };
  readonly since: string;
  /**
   * The holders, or those ahead in its queue where only that is reported; empty: that is not seen,
   * or it only waits for its turn.
   */
  readonly heldBy: readonly LockHolder[];
  /** Those before it in the queue, where that is reported. */
  readonly ahead?: number;
  /**
   * It waits for its turn without a session: what it waits for and who holds that was seen before
   * it gave its session back, or is what others like it wait for.
   */
  readonly withoutSession?: true;
  readonly participant: string;
  readonly waiter: LockHolder;
}

export interface SignIn {
  readonly key: string;
}

export interface Timeline {
  readonly transactionId: string;
  readonly status: TransactionStatus;
  readonly events: readonly TimelineEvent[];
  /** RFC 3339, UTC. */
  readonly serverTime: string;
}

/** One line of the timeline of a transaction. */
export interface TimelineEvent {
  readonly sequence: number;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly type: string;
  readonly branch?: string;
  readonly participant?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** A transaction as the coordinator shows it. */
export interface Transaction {
  readonly transactionId: string;
  readonly label?: string;
  /** Id of the key that began it. */
  readonly principal?: string;
  /** Incarnation of the coordinator that began it. */
  readonly owner: string;
  readonly status: TransactionStatus;
  readonly decision?: Decision;
  readonly outcome?: Open<
    | 'committed'
    | 'aborted'
    | 'heuristic-mixed'
    | 'heuristic-hazard'
  >;
  readonly cause?: AbortCause;
  /** Transactions that have tried this request so far, this one included. */
  readonly attempts?: number;
  readonly timeoutMs?: number;
  readonly timeLeftMs?: number;
  /** RFC 3339, UTC; as the two below the same at every coordinator, now and later. */
  readonly begunAt?: string;
  /** RFC 3339, UTC. */
  readonly decidedAt?: string;
  /** RFC 3339, UTC. */
  readonly endedAt?: string;
  /** How an operator settled a heuristic outcome. */
  readonly resolved?: {
    /** RFC 3339, UTC. */
    readonly at: string;
    readonly by: string;
    readonly reason: string;
  };
  readonly branches: readonly BranchState[];
  readonly version: number;
  /** RFC 3339, UTC. */
  readonly serverTime: string;
}

export interface TransactionPage {
  readonly transactions: readonly Transaction[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
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
  /**
   * How long it has been in its present status; since its begin, where that moment was not noted.
   */
  readonly inStatusMs: number;
  readonly branchesDone: number;
  readonly branchesTotal: number;
  readonly participants: readonly string[];
  readonly waitingOn: readonly string[];
  readonly attempts: number;
  readonly nextAttemptAt?: string;
  readonly lastError?: string;
  /** Absent: not known, because a participant of it does not report it. */
  readonly blockedSessions?: number;
  readonly blocks?: Blocks;
  readonly why: string;
  /** What If-Match must carry. */
  readonly version: string;
}

export type TransactionStatus = Open<
  | 'active'
  | 'preparing'
  | 'deciding'
  | 'committing'
  | 'aborting'
  | 'committed'
  | 'aborted'
  | 'heuristic-mixed'
  | 'heuristic-hazard'
  | 'undecided'
>;

/** What the branch said when asked to prepare. */
export interface Vote {
  readonly kind: Open<'prepared' | 'read-only' | 'committed' | 'no'>;
  readonly code?: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Transactions that wait, or waited, for each other. */
export interface WaitCycle {
  readonly state: Open<'waiting' | 'broken'>;
  /** When it was broken, where that is known. */
  readonly at?: string;
  /** The transaction that gave way. */
  readonly victim?: string;
  readonly waits: readonly {
    readonly transactionId: string;
    readonly participant: string;
    readonly relation?: string;
    readonly row?: string;
    readonly heldBy: string;
  }[];
}

/** A session that waits, directly or behind another. */
export interface Waiter {
  readonly pid: number;
  readonly waitingMs?: number;
  /** What it waits for: a row of it, it as a whole, or the session ahead. */
  readonly relation?: string;
  readonly mode?: string;
  /** The pid ahead of it in the queue; absent where it waits for the branch itself. */
  readonly behind?: number;
  readonly application?: string;
  /** Without literals; only where the role of the participant may see it. */
  readonly query?: string;
}

export interface WorkDone {
  readonly transactionId: string;
  readonly branch: string;
  readonly participant: string;
  readonly outputs: readonly unknown[];
}
