/**
 * Postgres as a resource: begin, outcome row, PREPARE TRANSACTION, finish. Guards protocol §4.2: a
 * vote `prepared` only on the command tag PREPARE, `read-only` only when nothing was written, and
 * `unknown` whenever an answer to PREPARE was lost.
 */
import {
  formatGid,
  type AbortResult,
  type BranchId,
  type ClusterId,
  type CommitResult,
  type ParticipantName,
  type PrepareResult,
  type TransactionId,
  type VoteAgainst,
} from '@concordat/protocol';
import {
  Pace,
  Resource,
  voteMarginMs,
  type Begun,
  type BranchKey,
  type BranchWait,
  type Clock,
  type Pacing,
  type PreparedInventory,
} from '@concordat/engine';
import type { Pool, PoolClient } from 'pg';
import { connectForBranch } from '../branch/pool-guard.js';
import { bounded, type Bounded } from './bounded.js';
import {
  CANCEL_BACKEND,
  beginSteps,
  identifier,
  outcomeStatements,
  type IsolationLevel,
  type OutcomeStatements,
} from './branch.sql.js';
import { PostgresSession } from './branch-session.js';
import { Closing, LAST_STATEMENT_MS_MIN, type OwnSide } from './closing.js';
import { assertPool, transactionStatusOf, watchConnection, watchPool } from './driver.js';
import { SecondPhase } from './second-phase.js';
import { fly, type FlightStep } from './flight.js';
import { listPrepared, lockImpact, type LockImpact } from './inventory.js';
import { KeptStatements } from './kept-statements.js';
import { LockWatch } from './lock-watch.js';
import { WaitLook } from './wait-look.js';
import { migrateOutcomeTable } from './migrate.js';
import { closedTable } from './migration.sql.js';
import { NotLed, canBeginLater, willBegin } from './opening.js';
import { voteOfMisuse } from './misuse-vote.js';
import { onePhaseStatements, type OnePhaseStatements } from './one-phase.sql.js';
import { openSecondPhasePool, inTime } from './pools.js';
import { pruneOutcomes, type Forgettable } from './pruning.sql.js';
import { recalledOr, whyNotPreparable } from './preparable.js';
import { SessionWaits } from './session-waits.js';
import { elsewhere, gone, noBlock, stopped, unavailable } from './resource-noes.js';
import {
  begunOf,
  isStranger,
  knownOf,
  remember,
  trustStrangers,
  watchSessions,
  type SessionState,
} from './session-state.js';
import { lost, voteOfConnect, voteOfSqlError } from './votes-of-errors.js';

export interface PostgresResourceOptions {
  /** Connections for branches. Stays the caller's: `close` does not end it. */
  readonly pool: Pool;
  readonly clock: Clock;
  /** Where the outcome table lives. */
  readonly schema?: string;
  /** Isolation of branches; the database's default when absent. */
  readonly isolation?: IsolationLevel;
  /** Whether a branch's own statements are named. Off behind PgBouncer before 1.21. */
  readonly namedStatements?: boolean;
  /** How many statements of operations each connection keeps by name; none by default. */
  readonly keptStatements?: number;
  readonly secondPhaseConnectionsMax?: number;
  /** How long one finish may take before its connection is discarded and it is asked again. */
  readonly finishTimeoutMs?: number;
  readonly tombstoneLockMs?: number;
  readonly onConnectionError?: (error: Error) => void;
}

/** What a branch came to, as its database remembers it. */
export interface RememberedOutcome {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly kind: 'branch' | 'tombstone';
}

/** Why the database made a branch vote no, outside of its operations. */
export interface RefusedBranch {
  readonly branch: BranchKey;
  readonly vote: VoteAgainst;
  /** What the database or the driver said itself, if it said anything. May quote data. */
  readonly cause?: unknown;
  /** Before the branch had begun, or when it was to prepare. */
  readonly at: 'begin' | 'prepare';
}

type Connected =
  | { readonly kind: 'connected'; readonly client: PoolClient }
  | { readonly kind: 'no'; readonly vote: VoteAgainst; readonly cause?: unknown };

/** Postgres' own idle time-out is the second net: the engine's lease and deadline act first. */
const IDLE_MARGIN_MS = 1_000;
const STRANGERS_MAX = 10;
const NOTHING_KNOWN: OwnSide = {
  ...{ role: 'none', messages: 'error', countsMayDeceive: true, mayWrite: true },
};
/** A statement that no signal ends keeps a rollback for about so long. */
const CANCELLING_MS_MAX = 500;

export class PostgresResource extends Resource<PostgresSession> {
  readonly secondPhasePool: Pool;
  readonly schema: string;
  private readonly statements: OutcomeStatements & OnePhaseStatements;
  private readonly secondPhase: SecondPhase;
  private readonly closing: Closing;
  private readonly held = new Set<PostgresSession>();
  private readonly lockWatch: LockWatch;
  private readonly waitLook: WaitLook;
  private readonly sessionWaits: SessionWaits;
  private readonly kept: KeptStatements | undefined;
  private refused: (refusal: RefusedBranch) => void = () => undefined;
  private lostMark: () => void = () => undefined;
  private own?: OwnSide | Promise<OwnSide>;
  private mayBeginLater = true;

  constructor(private readonly options: PostgresResourceOptions) {
    super();
    this.schema = options.schema ?? 'public';
    const { pool, onConnectionError: onError = () => undefined } = options;
    assertPool(pool);
    watchPool(pool, onError);
    watchSessions(pool);
    this.statements = { ...outcomeStatements(this.schema), ...onePhaseStatements(this.schema) };
    const { keptStatements: keptMax = 0 } = options;
    if (keptMax > 0 && this.named) this.kept = new KeptStatements(keptMax);
    this.secondPhasePool = openSecondPhasePool(pool, {
      connectionsMax: options.secondPhaseConnectionsMax,
      timeoutMs: options.finishTimeoutMs ?? 10_000,
      onError,
    });
    this.lockWatch = new LockWatch(this.secondPhasePool, options.clock);
    this.waitLook = new WaitLook(this.secondPhasePool, this.held);
    this.sessionWaits = new SessionWaits(this.secondPhasePool);
    this.secondPhase = new SecondPhase(this.secondPhasePool, {
      statements: this.statements,
      tombstoneLockMs: options.tombstoneLockMs ?? 250,
      markLost: () => this.lostMark(),
      named: this.named,
      table: this.table,
    });
    this.closing = new Closing({
      clock: options.clock,
      statements: this.statements,
      named: this.named,
      ownSide: () => this.ownSide(),
      markLost: () => this.lostMark(),
      endWaitsOf: (branch) => this.waitLook.endWaitsOf(branch),
    });
  }

  private get named(): boolean {
    return this.options.namedStatements !== false;
  }

  /** The outcome table, as SQL names it. */
  get table(): string {
    return `${identifier(this.schema)}.concordat_branch`;
  }

  get sessions(): Pool {
    return this.options.pool;
  }

  /** A connection of the sessions' pool, if one is free in time. */
  borrow(waitMs: number): Promise<Bounded<PoolClient>> {
    return inTime(this.connect(), this.options.clock, waitMs);
  }

  async begin(
    branch: BranchKey,
    limits: { timeLeftMs: number; idleLeaseMs?: number },
  ): Promise<Begun<PostgresSession>> {
    const { clock, isolation } = this.options;
    const deadlineAt = clock.now() + limits.timeLeftMs;
    const marginMs = voteMarginMs(limits.timeLeftMs);
    // What is waited for here ends before the time does, or the vote would come too late.
    const connected = await this.connection(limits.timeLeftMs - marginMs);
    if (connected.kind === 'no') return this.notBegun(branch, connected.vote, connected.cause);
    const { client } = connected;
    let session: PostgresSession | undefined;
    try {
      const { read, settings } = knownOf(this.options.pool, client);
      const timeLeftMs = deadlineAt - clock.now();
      // The watch ends waits for locks; these end them, in this order, where it cannot, and at last the
      // engine does, when the time is over.
      const steps = () => {
        const lastsMs = deadlineAt - clock.now();
        return beginSteps(
          formatGid(branch),
          {
            lockMs: lastsMs - marginMs / 2,
            statementMs: lastsMs - marginMs / 4,
            idleMs: (limits.idleLeaseMs ?? limits.timeLeftMs) + IDLE_MARGIN_MS,
          },
          { isolation, read },
        );
      };
      if (!read && this.mayBeginLater && canBeginLater(client)) {
        session = this.hold(
          willBegin(branch, client, { deadlineAt, settings, ...this.later(steps) }),
        );
        this.lockWatch.watch(session, timeLeftMs);
        return { kind: 'begun', session };
      }
      const sent = fly(client, steps(), { named: this.named });
      const answer = await this.within(timeLeftMs - marginMs, sent);
      const begun = answer.kind === 'value' ? begunOf(answer.value, read) : undefined;
      if (begun && transactionStatusOf(client) === 'T') {
        const { backend, session: own, pooled: kept, ...who } = begun;
        const { pooled } = remember(client, { backend, session: own });
        const before: SessionState = { ...who, settings: pooled ? kept : (own ?? settings) };
        const known = { backend, deadlineAt, before: () => before };
        session = this.hold(new PostgresSession(branch, client, known));
        this.lockWatch.watch(session, timeLeftMs);
        return { kind: 'begun', session };
      }
      if (answer.kind === 'error') {
        if (isMistake(answer.error)) throw answer.error;
        return this.notBegun(branch, voteOfConnect(answer.error), answer.error);
      }
      const late = unavailable('BEGIN was not answered in the time left');
      return this.notBegun(branch, answer.kind === 'timeout' ? late : noBlock());
    } finally {
      if (!session) client.release(true);
    }
  }

  async prepare(branch: BranchKey, session: PostgresSession): Promise<PrepareResult> {
    // First the gate: a detached write between the read-only test and its COMMIT would be committed
    // outside the protocol.
    const wasOpen = session.isOpen;
    session.close();
    const ended =
      elsewhere(branch) ?? (wasOpen ? whyNotPreparable(session) : (session.endedBy ?? gone()));
    if (ended) return this.give(session, ended, session.lost);
    if (!session.hasBegun) {
      session.release('clean');
      return { kind: 'read-only' };
    }
    const closed = await this.closing.close(branch, session);
    switch (closed.kind) {
      case 'no':
        return this.give(session, recalledOr(session, closed.vote), closed.cause);
      case 'read-only':
      case 'prepared':
      case 'committed':
        session.release('clean');
        return { kind: closed.kind };
      case 'unknown': {
        const { vote, cause } = closed;
        this.refused({ branch, vote, cause, at: 'prepare' });
        session.release('in-doubt');
        return { kind: 'unknown', reason: vote.reason, vote };
      }
    }
  }

  async rollback(session: PostgresSession, because?: VoteAgainst): Promise<void> {
    if (!session.isOpen) return;
    session.close(because);
    await this.undo(session);
  }

  /** Calls one listener with every no that has its cause in the database, outside of operations. */
  onRefused(listener: (refusal: RefusedBranch) => void): void {
    this.refused = listener;
  }

  /** Calls one listener where the mark of one phase is met gone: {@link restoreMark} is due. */
  onMarkLost(listener: () => void): void {
    this.lostMark = listener;
  }

  override lockWaits(sessions: readonly PostgresSession[]): Promise<Map<PostgresSession, string>> {
    return this.sessionWaits.of(sessions);
  }

  override endLockWaits(sessions: readonly PostgresSession[], because: VoteAgainst): Promise<void> {
    return this.sessionWaits.end(sessions, because);
  }

  override isRecalled(session: PostgresSession): boolean {
    return session.isRecalled;
  }

  voteOf(error: unknown): VoteAgainst | undefined {
    return voteOfMisuse(error) ?? voteOfSqlError(error);
  }

  commit(branch: BranchKey): Promise<CommitResult> {
    return this.secondPhase.commit(branch);
  }

  async abort(branch: BranchKey): Promise<AbortResult> {
    // One that closes, and waits for a lock in deferred work, would keep its own until its time is over.
    await this.waitLook.endWaitsOf(branch);
    return this.secondPhase.abort(branch);
  }

  listPrepared(cluster: ClusterId): Promise<PreparedInventory> {
    return listPrepared(this.secondPhasePool, cluster, this.table);
  }

  waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    return this.waitLook.waits(among);
  }

  override waitsSeen(): readonly BranchWait[] {
    return this.waitLook.seen;
  }

  /** The oldest prepared branches with their locks and who waits for them. */
  lockImpact(cluster: ClusterId, limit = 20): Promise<LockImpact[]> {
    return lockImpact(this.secondPhasePool, cluster, { table: this.table, limit });
  }

  /** What the outcome table remembers of these branches; nothing for those it does not know. */
  async outcomesOf(branches: readonly BranchKey[]): Promise<RememberedOutcome[]> {
    const { rows } = await this.secondPhasePool.query<RememberedOutcome>(
      this.statements.readOutcomes,
      [branches.map((one) => one.transaction), branches.map((one) => Number(one.branch))],
    );
    return rows;
  }

  /**
   * Forgets outcome rows and tombstones that are below the coordinators' low-water mark *and* past
   * retention. Never by age alone: a late prepare of an older, unended transaction must still meet
   * its tombstone. What is decided here is kept above `forgottenBelow`, and closed before it is forgotten.
   */
  prune(mark: Forgettable, pace: Pacing = new Pace(this.options.clock)): Promise<number> {
    const closed = closedTable(this.schema);
    return pruneOutcomes({ db: this.secondPhasePool, table: this.table, closed }, mark, pace);
  }

  /** Makes the mark of one phase again if it is gone. `below`: the low-water mark of now, which it has never been above. */
  async restoreMark(below: TransactionId): Promise<boolean> {
    const text = this.statements.restoreMark;
    return (await this.secondPhasePool.query(text, [below])).rowCount === 1;
  }

  /** Makes or updates the outcome table, and notes whose it is. */
  migrate(participant?: ParticipantName): Promise<number> {
    return migrateOutcomeTable(this.secondPhasePool, this.schema, participant);
  }

  /**
   * Undoes every branch that has not voted: the end of a drain. Nothing of them is prepared, so a
   * rollback is what their silence means anyway, and a pool waits for every connection it lent: one
   * operation that hangs would keep the process until its transaction's time is over.
   */
  async endSessions(): Promise<number> {
    const held = [...this.held];
    const unvoted = held.filter((session) => session.isOpen).length;
    for (const session of held) session.close(stopped());
    await Promise.all(held.map((session) => this.undo(session)));
    return unvoted;
  }

  /** Ends the sessions of the second phase. Sessions must have ended before. */
  async close(): Promise<void> {
    if (!this.secondPhasePool.ending) await this.secondPhasePool.end();
  }

  private hold(session: PostgresSession): PostgresSession {
    this.held.add(session);
    session.kept = this.kept;
    session.onReleased(() => this.held.delete(session));
    return session;
  }

  /** How a branch begins with its first statement, and what becomes of it where it does not. */
  private later(steps: () => FlightStep[]) {
    return {
      named: this.named,
      steps,
      failed: (session: PostgresSession, error: Error) => {
        // Something keeps the driver from writing at once: from now on BEGIN is awaited.
        if (error instanceof NotLed) this.mayBeginLater = false;
        const vote = error instanceof NotLed ? lost() : voteOfConnect(error);
        this.refused({ branch: session.branch, vote, cause: error, at: 'begin' });
        session.spoil();
        session.close(vote);
      },
    };
  }

  private notBegun(branch: BranchKey, vote: VoteAgainst, cause?: unknown): Begun<PostgresSession> {
    this.refused({ branch, vote, cause, at: 'begin' });
    return { kind: 'no', vote };
  }

  private async give(
    session: PostgresSession,
    vote: VoteAgainst,
    cause?: unknown,
  ): Promise<PrepareResult> {
    this.refused({ branch: session.branch, vote, cause, at: 'prepare' });
    await this.undo(session);
    return { kind: 'rolled-back', vote };
  }

  /** Ends what the session still holds and gives its connection back, clean or not at all. */
  private async undo(session: PostgresSession): Promise<void> {
    if (session.hasEnded) return;
    session.seal();
    if (session.lost || session.transactionStatus === 'I') return session.release('clean');
    if (session.inFlight > 0) {
      await this.cancelStatements(session);
      return session.release('in-doubt');
    }
    session.release(await this.closing.undo(session, LAST_STATEMENT_MS_MIN));
  }

  /**
   * Ends statements that are running, perhaps waiting for a lock, so that the branch's locks go now and not
   * when those end. A signal that arrives before its statement does is lost, and the server would not
   * notice that the connection is gone until the wait is over: so it is sent until they are answered.
   */
  private async cancelStatements(session: PostgresSession): Promise<void> {
    const { clock } = this.options;
    const endsAt = clock.now() + CANCELLING_MS_MAX;
    session.signalled = true;
    const isQuiet = session.quiet();
    for (let waitMs = 5; session.inFlight > 0 && clock.now() < endsAt; waitMs *= 2) {
      const sent = this.secondPhasePool.query(CANCEL_BACKEND, [session.backend]);
      const { kind } = await this.within(LAST_STATEMENT_MS_MIN, sent);
      if (kind !== 'value') return;
      await this.within(waitMs, isQuiet);
    }
  }

  /** What the second phase begins with: their role has to own what is prepared. Asked once. */
  private ownSide(): OwnSide | Promise<OwnSide> {
    this.own ??= this.secondPhasePool.query<OwnSide & object>(this.statements.ownSide).then(
      ({ rows }) => (this.own = rows[0] ?? NOTHING_KNOWN),
      (error: unknown) => {
        this.own = undefined;
        throw error;
      },
    );
    return this.own;
  }

  /**
   * Connections from before this resource are exchanged for new ones: what they were given at their start
   * is not known, and could not be put back. So are those that came back within a transaction: a BEGIN
   * would join the work of the code that left it open.
   */
  private async connect(): Promise<PoolClient> {
    const { pool } = this.options;
    for (let exchanged = 0; ; exchanged++) {
      const client = await connectForBranch(pool);
      watchConnection(client);
      const status = transactionStatusOf(client);
      const isIdle = status === null || status === 'I';
      if (isIdle && !isStranger(pool, client)) return client;
      if (exchanged > (pool.options.max ?? STRANGERS_MAX)) trustStrangers(pool);
      client.release(true);
    }
  }

  /** A connection of the pool, or why there is none in time. */
  private async connection(waitMs: number): Promise<Connected> {
    const answer = await this.borrow(waitMs);
    if (answer.kind === 'value') return { kind: 'connected', client: answer.value };
    if (answer.kind === 'error') {
      // A mistake in code does not concern the database.
      if (isMistake(answer.error)) throw answer.error;
      return { kind: 'no', vote: voteOfConnect(answer.error), cause: answer.error };
    }
    return { kind: 'no', vote: unavailable('no connection of its pool was free in the time left') };
  }

  private within<T>(ms: number, promise: Promise<T>) {
    return bounded(this.options.clock, ms, promise);
  }
}

function isMistake(error: unknown): error is Error {
  return [TypeError, ReferenceError, RangeError].some((type) => error instanceof type);
}
