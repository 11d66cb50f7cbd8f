/**
 * The transaction routes of the REST API. Guards "commit is repeated, never guessed": a lost answer
 * is asked for again where that is safe, and when it still cannot be had the caller gets an error
 * that can find out later instead of one that looks like a failure.
 */
import { randomUUID } from 'node:crypto';
import {
  ConcordatError,
  ConcordatProblem,
  CoordinatorUnreachable,
  TransactionAborted,
  TransactionInDoubt,
} from './errors.js';
import { serverSentEvents } from './event-stream.js';
import { isLost, pause, type Http, type HttpAnswer } from './http.js';
import type {
  BeginTransaction,
  BranchRequest,
  Moment,
  OperationRequest,
  TimelineEvent,
  Transaction,
  TransactionPage,
  TransactionStatus,
} from './generated/api.js';

export interface BeginOptions extends Pick<BeginTransaction, 'label' | 'timeoutMs'> {
  /** At most one transaction under this key ever commits. */
  readonly idempotencyKey?: string;
}

export interface WaitOptions {
  /** Which moment to wait for; `decided` unless said otherwise. */
  readonly until?: Moment;
  /** How long to wait for it altogether. Default: a little more than the transaction may take. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface SubmitRequest extends BeginOptions, Pick<BeginTransaction, 'retry' | 'prepare'> {
  readonly branches: readonly BranchRequest[];
}

export interface ListFilter {
  readonly status?: TransactionStatus | readonly TransactionStatus[];
  readonly participant?: string;
  readonly label?: string;
  readonly limit?: number;
  /** From the page before. */
  readonly cursor?: string;
  /** Further filters as the coordinator's API documentation lists them. */
  readonly [filter: string]: string | number | boolean | readonly string[] | undefined;
}

export interface Begun {
  readonly transaction: Transaction;
  /** Whether an earlier request with the same idempotency key had begun it. */
  readonly replayed: boolean;
}

/** One long-poll; the whole wait is made of as many as it takes. */
const HELD_MS_MAX = 20_000;
const WAIT_MS_DEFAULT = 60_000;
/** How long a poll waits before it sends a whole transaction again. */
const RESUBMIT_MS = 1_000;

/** A commit request and its repeats: what all of them ask for, and what is known of lost ones. */
interface Finishing {
  /** Absent while every answer was lost: then each repeat may have begun a transaction of its own. */
  readonly transactionId?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long after its loss an attempt may still commit something that a repeat does not return. */
  readonly openMs: number;
  /** Until when an attempt whose answer was lost may still commit; 0 when none was lost. */
  readonly lostUntil: number;
}

export class Transactions {
  private readonly http: Http;

  constructor(http: Http) {
    this.http = http;
  }

  /** Begins a transaction that stays open for `call`, `commit` or `rollback`. */
  async begin(options: BeginOptions = {}): Promise<Begun> {
    const { label, timeoutMs, idempotencyKey } = options;
    const answer = await this.http.request({
      method: 'POST',
      path: '/v1/transactions',
      headers: idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey },
      body: { label, timeoutMs },
      // An empty transaction that is not used ends by itself. Under a key, a repeat of our own could
      // not be distinguished from one in which another client is working.
      repeatable: idempotencyKey === undefined,
    });
    return {
      transaction: transactionOf(answer),
      replayed: answer.headers.get('idempotent-replayed') === 'true',
    };
  }

  /**
   * A whole transaction in one call. Resolves once it is committed; throws
   * `TransactionAborted` with the cause, or {@link TransactionInDoubt}. Without a key of yours
   * it is sent under a generated one, so that a lost answer can be asked for again: with any
   * repeats, at most one transaction under a key commits. A repeat that aborts is no answer for a
   * lost attempt, which may still commit at another coordinator: that is in doubt too, until the
   * lost one has had its time-out. The key is taken by the decision in the register, so a single
   * branch is prepared and decided as several are, and never committed in one phase.
   */
  async submit(request: SubmitRequest, wait: WaitOptions = {}): Promise<Transaction> {
    const { idempotencyKey = randomUUID(), ...body } = request;
    const { timeoutMs } = body;
    const openMs = timeoutMs === undefined ? WAIT_MS_DEFAULT : timeoutMs + 10_000;
    const finishing: Finishing = {
      path: '/v1/transactions',
      body: { ...body, commit: true },
      headers: { 'Idempotency-Key': idempotencyKey },
      openMs,
      lostUntil: 0,
    };
    return this.finish(finishing, { ...wait, waitMs: wait.waitMs ?? openMs });
  }

  /**
   * Runs operations in a participant's branch of an open transaction; returns their outputs. They run
   * once: a call whose answer was lost is sent again under its key, and gets the answer of the first.
   */
  async work(
    transactionId: string,
    participant: string,
    operations: readonly OperationRequest[],
    signal?: AbortSignal,
  ): Promise<readonly unknown[]> {
    const answer = await this.http.request({
      method: 'POST',
      path: `${pathOf(transactionId)}/branches`,
      headers: { 'Idempotency-Key': randomUUID() },
      body: { participant, operations },
      repeatable: true, // Under its key, which the owner knows for as long as the transaction is open.
      heldMs: 900_000,
      ...(signal ? { signal } : {}),
    });
    return (answer.body as { outputs: readonly unknown[] }).outputs;
  }

  /** Commits. Resolves once committed; throws `TransactionAborted` or {@link TransactionInDoubt}. */
  commit(transactionId: string, wait: WaitOptions = {}): Promise<Transaction> {
    const path = `${pathOf(transactionId)}/commit`;
    return this.finish({ transactionId, path, openMs: Infinity, lostUntil: 0 }, wait);
  }

  /** Rolls back. Resolves once the abort is certain; a `ConcordatProblem` `already-committed` otherwise. */
  async rollback(
    transactionId: string,
    reason?: string,
    wait: WaitOptions = {},
  ): Promise<Transaction> {
    const heldMs = Math.min(wait.waitMs ?? WAIT_MS_DEFAULT, HELD_MS_MAX);
    const answer = await this.http.request({
      method: 'POST',
      path: `${pathOf(transactionId)}/rollback`,
      query: { until: wait.until, wait: `${heldMs}ms` },
      body: reason === undefined ? undefined : { reason: reason.slice(0, 500) },
      repeatable: true,
      heldMs,
      ...(wait.signal ? { signal: wait.signal } : {}),
    });
    return transactionOf(answer);
  }

  /** A transaction as it is now; with `wait`, as it is once the moment has come or the wait is over. */
  async get(transactionId: string, wait?: WaitOptions): Promise<Transaction> {
    const heldMs = wait ? Math.min(wait.waitMs ?? HELD_MS_MAX, HELD_MS_MAX) : undefined;
    const answer = await this.http.request({
      method: 'GET',
      path: pathOf(transactionId),
      query: heldMs === undefined ? {} : { wait: `${heldMs}ms`, until: wait?.until ?? 'decided' },
      repeatable: true,
      heldMs: heldMs ?? 0,
      ...(wait?.signal ? { signal: wait.signal } : {}),
    });
    return transactionOf(answer);
  }

  /** One page of transactions, newest first. */
  async list(filter: ListFilter = {}): Promise<TransactionPage> {
    const answer = await this.http.request({
      method: 'GET',
      path: '/v1/transactions',
      query: filter as Record<string, string>,
      repeatable: true,
    });
    return answer.body as TransactionPage;
  }

  /** All transactions that match, page by page. */
  async *all(filter: ListFilter = {}): AsyncGenerator<Transaction> {
    let cursor = filter.cursor;
    do {
      const page = await this.list({ ...filter, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.transactions;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }

  /**
   * The timeline of a transaction as it happens, from its beginning or after an event. Ends with the
   * transaction; a lost connection is taken up again where it broke.
   */
  async *events(
    transactionId: string,
    options: { readonly after?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<TimelineEvent> {
    let last = options.after ?? 0;
    for (let silent = 0; ; silent++) {
      try {
        const response = await this.http.open({
          method: 'GET',
          path: `${pathOf(transactionId)}/events`,
          headers: { Accept: 'text/event-stream', 'Last-Event-ID': String(last) },
          repeatable: true,
          ...(options.signal ? { signal: options.signal } : {}),
        });
        if (response.status === 204) return; // It has ended and there is nothing after `last`.
        for await (const { id, data } of serverSentEvents(response)) {
          yield JSON.parse(data) as TimelineEvent;
          last = Number(id);
          silent = 0;
        }
      } catch (error) {
        if (options.signal?.aborted) return;
        if (error instanceof ConcordatProblem && !error.retryable) throw error;
        if (silent >= this.http.options.retries) throw error;
      }
      await pause(Math.min(100 * 2 ** silent, 5_000), options.signal);
    }
  }

  /** Sends a commit or a whole transaction and waits for its decision, however many answers it takes. */
  private async finish(finishing: Finishing, wait: WaitOptions): Promise<Transaction> {
    const { path, headers = {}, body, transactionId } = finishing;
    const { until = 'decided', waitMs = WAIT_MS_DEFAULT, signal } = wait;
    const deadline = performance.now() + waitMs;
    const heldMs = Math.min(waitMs, HELD_MS_MAX);
    let { lostUntil } = finishing;
    try {
      const answer = await this.http.request({
        method: 'POST',
        path,
        query: { until, wait: `${Math.round(heldMs)}ms` },
        headers,
        body,
        repeatable: true,
        heldMs,
        onLost: () => {
          lostUntil = performance.now() + finishing.openMs;
        },
        ...(signal ? { signal } : {}),
      });
      const transaction = transactionOf(answer);
      if (answer.status !== 202) return transaction;
      return await this.settled(transaction, until, deadline, signal);
    } catch (error) {
      const isLostOpen = performance.now() < lostUntil;
      if (!isInDoubt(error, transactionId, isLostOpen)) throw error;
      const again = async (): Promise<Transaction> => {
        if (!transactionId && !isLost(error)) await pause(RESUBMIT_MS);
        return this.finish({ ...finishing, lostUntil }, wait);
      };
      throw new TransactionInDoubt(
        transactionId,
        'An answer to the commit was lost.',
        again,
        error,
      );
    }
  }

  /** Waits for the moment of a transaction that was still under way when the first answer came. */
  private async settled(
    first: Transaction,
    until: Moment,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Transaction> {
    const { transactionId } = first;
    let seen = first;
    for (;;) {
      const hasEnded = seen.endedAt !== undefined;
      // One that has ended without a decision that any process knows will not be decided any more.
      const isThere = hasEnded || (until === 'decided' && seen.decision !== undefined);
      if (isThere) return this.verdict(seen);
      const leftMs = Math.round(deadline - performance.now());
      if (leftMs <= 0 || signal?.aborted) break;
      try {
        const wait = { until, waitMs: leftMs, ...(signal ? { signal } : {}) };
        seen = await this.get(transactionId, wait);
      } catch (error) {
        if (isConclusive(error)) throw error;
        throw this.inDoubt(transactionId, 'The coordinator does not know.', error);
      }
    }
    // Decided is enough to know: what is left is delivery, and nothing can change it.
    if (seen.decision !== undefined) return this.verdict(seen);
    throw this.inDoubt(transactionId, 'The transaction is not decided yet.');
  }

  /** A decided transaction as a result, or as the error that its commit request deserves. */
  private verdict(transaction: Transaction): Promise<Transaction> {
    const { decision, status, transactionId } = transaction;
    if (decision === 'commit' && !status.startsWith('heuristic'))
      return Promise.resolve(transaction);
    // The commit route answers with the problem that names the cause.
    return this.commit(transactionId, { waitMs: 0 });
  }

  private inDoubt(transactionId: string, why: string, cause?: unknown): TransactionInDoubt {
    const poll = async (): Promise<Transaction> =>
      this.settled(
        await this.get(transactionId).catch((error: unknown) => {
          if (isConclusive(error)) throw error;
          throw this.inDoubt(transactionId, 'The coordinator does not know.', error);
        }),
        'decided',
        performance.now() + WAIT_MS_DEFAULT,
        undefined,
      );
    return new TransactionInDoubt(transactionId, why, poll, cause);
  }
}

function pathOf(transactionId: string): string {
  return `/v1/transactions/${encodeURIComponent(transactionId)}`;
}

function transactionOf(answer: HttpAnswer): Transaction {
  return answer.body as Transaction;
}

/** Whether an error about a transaction that exists leaves its outcome open. */
function isWithoutAnswer(error: unknown): boolean {
  if (error instanceof CoordinatorUnreachable) return true;
  if (!(error instanceof ConcordatProblem)) return false;
  // "Nothing is known" is the answer of a coordinator that cannot know: another may have committed it.
  return error.status >= 500 || error.code === 'unknown-or-forgotten';
}

/** Whether an error says how the transaction ended, or is none of the coordinator's. */
function isConclusive(error: unknown): boolean {
  if (!(error instanceof ConcordatError) || error instanceof TransactionAborted) return true;
  return error instanceof ConcordatProblem && error.code === 'heuristic-outcome';
}

/**
 * Whether the outcome is open after a commit request has failed. `isLostOpen`: the answer to an
 * attempt was lost which may commit yet. An abort is the end of a transaction that has an id; without
 * one it is that of the repeat, and only a commit, of which there is one per key, is the last word.
 */
function isInDoubt(
  error: unknown,
  transactionId: string | undefined,
  isLostOpen: boolean,
): boolean {
  if (!(error instanceof ConcordatError)) return false;
  if (transactionId !== undefined) {
    if (error instanceof TransactionInDoubt) return false; // It says so already, and polls the same.
    return isLostOpen ? !isConclusive(error) : isWithoutAnswer(error);
  }
  if (isLostOpen)
    return !(error instanceof ConcordatProblem && error.problem.decision === 'commit');
  return isLost(error);
}
