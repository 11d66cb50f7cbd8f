/**
 * What can go wrong, by what the caller may conclude. Guards "no answer is not failure": aborted means that
 * nothing happened, in doubt means that the result is not known here yet and `poll` finds out; everything
 * else means that nothing was begun or decided by this call.
 */
import type { AbortCause, ProblemDetails, Transaction } from './generated/api.js';

/** Base of all errors of this client. */
export abstract class ConcordatError extends Error {}

/** The transaction aborted: no branch keeps its work. */
export class TransactionAborted extends ConcordatError {
  override readonly name = 'TransactionAborted';
  readonly transactionId: string;
  /** Why: for a vote, which participant said no, with its code. */
  override readonly cause: AbortCause;
  /** Whether the same work, begun again, may succeed. */
  readonly retryable: boolean;

  constructor(readonly problem: ProblemDetails) {
    super(problem.detail);
    this.transactionId = problem.transactionId ?? '';
    this.cause = problem.cause ?? { kind: 'undetermined' };
    this.retryable = problem.retryable;
  }
}

/**
 * The outcome is not known here: an answer was lost, or the decision takes longer than the caller
 * waited. It is not a failure; do not repeat the work by other means, but ask {@link poll}.
 */
export class TransactionInDoubt extends ConcordatError {
  override readonly name = 'TransactionInDoubt';

  constructor(
    /** Undefined when the very first answer, the one with the id, was lost. */
    readonly transactionId: string | undefined,
    why: string,
    /**
     * Finds out: resolves with the committed transaction, throws {@link TransactionAborted} when it
     * aborted, and throws a new TransactionInDoubt when it still cannot be known. After a lost answer
     * it repeats the request: a commit is repeatable, and a `submit` goes under its idempotency key,
     * so it commits at most once. Its `cause` is the last answer or error.
     */
    readonly poll: () => Promise<Transaction>,
    cause?: unknown,
  ) {
    super(`${why} The outcome is not known here; poll() finds out.`, { cause });
  }
}

/** The transaction under this idempotency key has committed already; its work was not run again. */
export class TransactionAlreadyCommitted extends ConcordatError {
  override readonly name = 'TransactionAlreadyCommitted';

  constructor(readonly transaction: Transaction) {
    super(
      `Transaction ${transaction.transactionId} has committed under this idempotency key; the work was not run again.`,
    );
  }
}

/** The coordinator refused the request: see `problem.code` and `problem.errors`. */
export class ConcordatProblem extends ConcordatError {
  override readonly name = 'ConcordatProblem';
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;

  constructor(
    readonly problem: ProblemDetails,
    /** From `Retry-After`, when the coordinator named a time. */
    readonly retryAfterMs?: number,
  ) {
    const fields = (problem.errors ?? []).map(({ field, message }) => `${field} ${message}`);
    super(fields.length > 0 ? `${problem.detail} (${fields.join('; ')})` : problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.retryable = problem.retryable;
  }
}

/** A value in a request that JSON cannot say, or would change, such as NaN or a bigint. Nothing was sent. */
export class InputNotSendable extends ConcordatError {
  override readonly name = 'InputNotSendable';

  constructor(
    /** Where it is in the request's body, e.g. `branches[0].operations[0].input.amount`. */
    readonly path: string,
    why: string,
  ) {
    super(`${path} ${why}. Nothing was sent.`);
  }
}

/** No answer from the coordinator to a request that begins or decides nothing. */
export class CoordinatorUnreachable extends ConcordatError {
  override readonly name = 'CoordinatorUnreachable';

  constructor(url: string, cause: unknown) {
    super(
      `No answer from the coordinator at ${url}: ${reasonOf(cause)}. Check the address and that it runs.`,
      {
        cause,
      },
    );
  }
}

/** `fetch` says that it failed, and why only in the cause of its error. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  if (error.cause !== undefined) return reasonOf(error.cause);
  return (error.message || error.name).replace(/\s+/g, ' ').trim();
}
