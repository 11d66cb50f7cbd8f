/**
 * The open database transaction of one branch: a pooled connection behind a gate. Guards "a session
 * never returns to its pool unclean" and "no work after the branch's end": a write from a promise
 * that was not awaited would otherwise be autocommitted on a pooled connection, outside every
 * transaction.
 */
import type { ClientBase, PoolClient, QueryResult } from 'pg';
import { VoteNoError, type BranchKey } from '@concordat/engine';
import type { VoteAgainst } from '@concordat/protocol';
import { transactionStatusOf, type TransactionStatus } from './driver.js';
import {
  fly,
  isHalfTaught,
  type FlightOptions,
  type FlightRow,
  type FlightStep,
} from './flight.js';
import type { KeptStatements } from './kept-statements.js';
import { ask } from './own-types.js';
import { tagOf } from './plain-statement.js';
import { countedQuery, hasValues, isSubmittable, textOf, type Answered } from './query-forms.js';
import type { SessionState } from './session-state.js';
import { isWaitEnded, type Notice } from './standby-wait.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';
import { judgementOf } from './statement-text.js';
import { lost, voteOfSqlError } from './votes-of-errors.js';

/** Use of a branch's client that would break the branch. A bug in the service; the message says which. */
export class BranchMisuse extends Error {
  override readonly name = 'BranchMisuse';
}

/**
 * The branch was ended while its operation was at work: its time was over, its transaction aborted, its
 * connection was lost. No fault of the operation; `vote` says why.
 */
export class BranchEnded extends VoteNoError {
  override readonly name = 'BranchEnded';

  constructor({ code, reason, retryable, details }: VoteAgainst, options?: { cause?: unknown }) {
    super(code, details, { reason, retryable });
    if (options?.cause !== undefined) this.cause = options.cause;
  }
}

/** What operations get: `query` of a plain pg client, usable until the branch ends. */
export interface BranchClient {
  readonly query: ClientBase['query'];
}

/** A branch's connection as BEGIN found it, or will find it. */
export interface BegunSession {
  /** Process id of the backend that holds this transaction. */
  readonly backend: number;
  /** When the branch's time is over, by the engine's clock. */
  readonly deadlineAt: number;
  /** Role and settings of the session before the branch; known when BEGIN is answered. */
  readonly before: () => SessionState;
  /** Where BEGIN has not been sent: sends it with the first statement. */
  readonly opening?: Opening;
}

/** Sends BEGIN, and then what `send` sends. `rides`: that is a statement with values. */
export type Opening = <T>(session: PostgresSession, what: { send: () => T; rides: boolean }) => T;

export class PostgresSession {
  /** For operations. Refuses everything once the branch has ended. */
  readonly client: BranchClient;
  private gate: 'open' | 'closed' = 'open';
  private underWay = 0;
  private sent = 0;
  private released = false;
  private spoilt = false;
  private sealed = false;
  private mayHaveCalledOut = false;
  private hasTakenRole = false;
  private wrote = false;
  private opening: Opening | undefined;
  private lostBy: Error | undefined;
  private because: VoteAgainst | undefined;
  /** Called with the error of every statement of this session, before any other listener. */
  onFailed: (error: unknown) => void = () => undefined;
  /** A signal to cancel is on its way to the backend: its connection is not used again. */
  signalled = false;
  /** Which statements of operations its connection keeps by name, where the host asked for that. */
  kept: KeptStatements | undefined;
  /** Transactions that an ORM has begun inside of this one and has not ended: savepoints. */
  openParts = 0;
  private lastError: unknown;
  private recalling: VoteAgainst | undefined;
  private recalled = false;
  private telling: Promise<boolean> | undefined;
  private readonly quieters: (() => void)[] = [];
  private readonly enders: (() => void)[] = [];
  private readonly releasers: (() => void)[] = [];
  private readonly onError = (error: Error): void => {
    this.lostBy ??= error;
  };
  /** The server has ended a wait of this session for a standby: what it answers may be lost by a failover. */
  waitEnded = false;
  private readonly onNotice = (notice: Notice): void => {
    this.waitEnded ||= isWaitEnded(notice);
  };

  constructor(
    readonly branch: BranchKey,
    private readonly raw: PoolClient,
    private readonly begun: BegunSession,
  ) {
    // A checked-out connection that dies emits 'error'; without a listener, that would end the process.
    raw.on('error', this.onError);
    raw.on('notice', this.onNotice);
    this.client = { query: this.query.bind(this) as ClientBase['query'] };
    this.opening = begun.opening;
  }

  /** Process id of the backend that holds this transaction. */
  get backend(): number {
    return this.begun.backend;
  }

  /** Whether a pooler is in between, which gives this session to others between transactions. */
  get isPooled(): boolean {
    const { processID } = this.raw as unknown as { readonly processID?: number | null };
    return typeof processID === 'number' && processID !== this.backend;
  }

  /** When the branch's time is over, by the engine's clock. */
  get deadlineAt(): number {
    return this.begun.deadlineAt;
  }

  /** Role and settings of the session before the branch. */
  get before(): SessionState {
    return this.begun.before();
  }

  /** Whether a statement may have called what leaves no trace in the transaction. */
  get calledOut(): boolean {
    return this.mayHaveCalledOut;
  }

  /** Whether a statement of it took on a role. False says nothing of what functions and triggers did. */
  get tookRole(): boolean {
    return this.hasTakenRole;
  }

  /**
   * Whether a statement of it was answered with rows that it wrote. False says nothing: what was written in
   * a function, or by a statement whose answer went to a callback, is not counted.
   */
  get hasWritten(): boolean {
    return this.wrote;
  }

  /** Whether its driver gives every statement an end of its own: then an error skips none behind it. */
  get isPipelined(): boolean {
    return (this.raw as { readonly pipeline?: boolean }).pipeline === true;
  }

  /** The connection error that ended this session, if one did. */
  get lost(): Error | undefined {
    return this.lostBy;
  }

  get isOpen(): boolean {
    return this.gate === 'open';
  }

  /** Whether its transaction was begun: without a statement it never is. */
  get hasBegun(): boolean {
    return this.opening === undefined;
  }

  /** Why the branch was ended from outside while its operation was at work, if it was. */
  get endedBy(): VoteAgainst | undefined {
    if (this.because || !this.lostBy) return this.because;
    return voteOfSqlError(this.lostBy) ?? lost();
  }

  /** Whether a wait of its statements may be ended by a signal: not while it prepares or is undone. */
  get isSealed(): boolean {
    return this.sealed || this.released;
  }

  /** From here on no statement of this session may be cancelled. */
  seal(): void {
    this.sealed = true;
  }

  /** Whether its connection has been given back. */
  get hasEnded(): boolean {
    return this.released;
  }

  /**
   * The wait of its statement is about to be ended by a signal, because others need the lock or the session.
   * If the signal comes too late, the branch goes on. `told` is the server's answer whether it has sent one.
   */
  recall(because: VoteAgainst, told: Promise<unknown>): void {
    this.recalling = because;
    this.signalAsked(told);
  }

  /** A signal is about to be asked for that ends the wait of its statement; `told` as for `recall`. */
  signalAsked(told: Promise<unknown>): void {
    this.signalled = true;
    this.telling = told.then(
      () => true,
      () => false,
    );
  }

  /** Resolves once the signal has been sent, or never will be: false where that is not known. */
  signalTold(): Promise<boolean> {
    return this.telling ?? Promise.resolve(false);
  }

  /** No signal was sent, since it had its lock already, or it was sent and met no statement. */
  signalMissed(): void {
    this.recalling = undefined;
    this.telling = undefined;
    this.signalled = false;
  }

  /** Whether a statement was ended by `recall`: the branch's work is undone, and no more of it can follow. */
  get isRecalled(): boolean {
    return this.recalled;
  }

  /** Why its wait was to be ended for the sake of others, as long as that may have ended something else. */
  get mayBeRecalledFor(): VoteAgainst | undefined {
    return this.signalled ? this.recalling : undefined;
  }

  /** Statements that the server has not answered. */
  get inFlight(): number {
    return this.underWay;
  }

  /** Resolves once no statement is in flight. */
  quiet(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.quieters.push(resolve));
  }

  /** Statements that were sent so far: while it stays and one is in flight, that one goes on. */
  get statementsSent(): number {
    return this.sent;
  }

  /** `T` in a transaction, `E` in a failed one, `I` in none: as the server last said. */
  get transactionStatus(): TransactionStatus {
    return transactionStatusOf(this.raw);
  }

  /** The error of the last statement of this session that failed, undone or not. */
  get lastFailure(): unknown {
    return this.lastError;
  }

  /** The error of the statement that failed this transaction, if it has failed and goes on failing. */
  get failure(): unknown {
    return this.transactionStatus === 'E' ? this.lastError : undefined;
  }

  /** Called once when the gate closes: views over this session (an ORM's) end with it. */
  onClosed(ender: () => void): void {
    if (this.gate === 'closed') ender();
    else this.enders.push(ender);
  }

  /** Called once when the connection has been given back or discarded. */
  onReleased(releaser: () => void): void {
    if (this.released) releaser();
    else this.releasers.push(releaser);
  }

  /**
   * Closes the gate, synchronously: from here on only the library speaks on this connection. `because`
   * is why the branch ends while its operation may still be at work; an end that the operation itself
   * came to has none.
   */
  close(because?: VoteAgainst): void {
    if (this.gate === 'closed') return;
    this.gate = 'closed';
    if (!this.recalled) this.because = because;
    for (const ender of this.enders.splice(0)) ender();
  }

  /** The library's own statements, which pass the closed gate. */
  statement(text: string): Promise<QueryResult> {
    return this.track(ask(this.raw, { text }));
  }

  /** A statement of the library's own of which only the command tag counts. */
  tagOf(text: string): Promise<string> {
    return this.track(tagOf(this.raw, text));
  }

  /** Several of the library's own statements at once. */
  fly(steps: readonly FlightStep[], options: FlightOptions): Promise<FlightRow[][]> {
    return this.track(fly(this.raw, steps, options));
  }

  /** The connection must not be used again, whatever the outcome of the branch. */
  spoil(): void {
    this.spoilt = true;
  }

  /** Gives the connection back, or discards it when its state is in doubt. */
  release(state: 'clean' | 'in-doubt'): void {
    this.close();
    if (this.released) return;
    this.released = true;
    this.raw.removeListener('error', this.onError);
    this.raw.removeListener('notice', this.onNotice);
    const usable = !this.lostBy && !this.spoilt && !this.signalled && !isHalfTaught(this.raw);
    const clean = state === 'clean' && usable && this.transactionStatus === 'I';
    if (clean) this.raw.release();
    else this.raw.release(this.lostBy ?? true);
    for (const releaser of this.releasers.splice(0)) releaser();
  }

  private query(config: unknown, values?: unknown, callback?: unknown): unknown {
    const refused = this.endedBy ? new BranchEnded(this.endedBy) : this.misuseOf(config);
    if (refused) {
      if (typeof values === 'function' || typeof callback === 'function' || isSubmittable(config)) {
        throw refused;
      }
      return Promise.reject(refused);
    }
    const send = this.raw.query.bind(this.raw) as (...args: unknown[]) => unknown;
    const given = [config, values, callback];
    const args = this.kept?.named(given) ?? given;
    const counted = countedQuery(args, () => this.departed());
    const sent = this.opened(() => send(...counted), args);
    if (!(sent instanceof Promise)) return sent;
    const hear = (answer: unknown): void => void (this.wrote ||= hasWritten(answer));
    return this.track(sent, hear, this.kept && ((error) => this.keeps(config, error)));
  }

  /** A statement has failed: what its connection keeps of it may be why. */
  private keeps(config: unknown, error: unknown): void {
    if (this.kept?.failed(textOf(config), error)) this.spoil();
  }

  private opened(send: () => unknown, args: readonly unknown[]): unknown {
    const { opening } = this;
    if (!opening) return send();
    this.opening = undefined;
    return opening(this, { send, rides: hasValues(args) });
  }

  private track<T>(
    sent: Promise<T>,
    hear?: (answer: T) => void,
    failed?: (error: unknown) => void,
  ): Promise<T> {
    const answered = this.departed();
    sent.then(
      (answer) => {
        hear?.(answer);
        answered();
      },
      (error: unknown) => {
        failed?.(error);
        answered(error);
      },
    );
    return sent;
  }

  /** Counts a statement that is being sent. Returns the listener for its answer or its error. */
  private departed(): Answered {
    this.underWay += 1;
    this.sent += 1;
    let isUnderWay = true;
    return (error) => {
      // The driver stopped waiting, the server goes on: it is still under way, and so are its locks.
      const isWaitedFor = !(error instanceof Error && error.message === 'Query read timeout');
      if (isUnderWay && isWaitedFor) {
        isUnderWay = false;
        this.underWay -= 1;
        if (this.underWay === 0) for (const quieter of this.quieters.splice(0)) quieter();
      }
      if (error === undefined || error === null) return;
      if (this.recalling && sqlErrorOf(error)?.code === SqlState.cancelled) {
        this.recalled = true;
        this.because ??= this.recalling;
        this.signalled = false;
      }
      // What a failed transaction refuses afterwards does not show why it failed.
      if (sqlErrorOf(error)?.code !== SqlState.failedTransaction) this.lastError = error;
      this.onFailed(error);
    };
  }

  private misuseOf(config: unknown): BranchMisuse | undefined {
    const { transaction, branch } = this.branch;
    if (this.gate === 'closed') {
      return new BranchMisuse(
        `branch ${branch} of transaction ${transaction} has ended: await every query before the operation returns, and keep no client beyond it`,
      );
    }
    const { refused, callsOut, takesRole } = judgementOf(textOf(config));
    if (refused) return new BranchMisuse(REFUSALS[refused.kind](refused.what));
    this.mayHaveCalledOut ||= callsOut;
    this.hasTakenRole ||= takesRole;
    return undefined;
  }
}

/** Whether an answer counts rows that were written. */
function hasWritten(answer: unknown): boolean {
  const { command, rowCount } = (answer ?? {}) as Partial<QueryResult>;
  return typeof rowCount === 'number' && rowCount > 0 && WRITES.has(command ?? '');
}

const WRITES: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

const REFUSALS = {
  ending: (what: string) =>
    `an operation may not end its branch's transaction (${what}): return to let it commit, throw VoteNo to refuse, use SAVEPOINT for a part`,
  outliving: (what: string) =>
    `this statement would outlive the branch on a pooled connection or cannot be prepared (${what}): use SET LOCAL and pg_advisory_xact_lock, and send notifications from onCommitted`,
  escaping: (what: string) =>
    `this acts outside of the branch at once, whatever is decided (${what}): do it from onCommitted, or make what it reaches a participant`,
} as const;
