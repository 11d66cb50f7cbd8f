/** What operations and callers of the participant's engine throw and catch. */
import { voteNo, type VoteAgainst } from '@concordat/protocol';

/** A business refusal: thrown by an operation, it becomes the branch's vote. Not a failure. */
export class VoteNoError extends Error {
  override readonly name: string = 'VoteNoError';
  readonly vote: VoteAgainst;

  constructor(
    code: string,
    details?: Readonly<Record<string, unknown>>,
    options: { reason?: string; retryable?: boolean } = {},
  ) {
    const reason = options.reason ?? code.toLowerCase().replaceAll('_', ' ');
    super(`${code}: ${reason}`);
    this.vote = voteNo(code, reason, {
      retryable: options.retryable ?? false,
      ...(details ? { details } : {}),
    });
  }
}

/** A direct call could not join its transaction, so no work was done. */
export class JoinRefused extends Error {
  override readonly name = 'JoinRefused';

  /** `vote` is the no of the branch, where there was one. */
  constructor(
    readonly code: string,
    message: string,
    readonly vote?: VoteAgainst,
  ) {
    super(message);
  }

  /** The refusal of a branch that votes no. */
  static by(vote: VoteAgainst): JoinRefused {
    return new JoinRefused(vote.code, vote.reason, vote);
  }
}
