/**
 * An operation's error beside the error of the statement that failed its branch. Guards "a vote says why":
 * an ORM makes errors of its own of what the database says, some without a trace of it, and the branch
 * would blame its operation for a deadlock.
 */
import { VoteNoError } from '@concordat/engine';
import type { PostgresSession } from '../postgres/branch-session.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';

/** What an operation threw; `cause` is the error of the statement that failed its transaction. */
export class StatementFailed extends Error {
  override readonly name = 'StatementFailed';

  constructor(
    readonly thrown: unknown,
    cause: unknown,
  ) {
    super(thrown instanceof Error ? thrown.message : String(thrown), { cause });
    if (thrown instanceof Error && thrown.stack) this.stack = thrown.stack;
  }
}

/**
 * Runs an operation. Where a statement has failed its transaction and what it throws means nothing to
 * `resource`, throws {@link StatementFailed} instead. A vote of its own stays what it is.
 */
export async function withItsFailure<T>(
  resource: Pick<PostgresResource, 'voteOf'>,
  session: PostgresSession,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    const { failure } = session;
    const isSilent = !(error instanceof VoteNoError) && resource.voteOf(error) === undefined;
    throw isSilent && failure !== undefined ? new StatementFailed(error, failure) : error;
  }
}
