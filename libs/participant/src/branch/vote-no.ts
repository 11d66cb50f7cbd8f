/**
 * The refusal that operations throw. Guards protocol §4.2: a business refusal is a vote, not an
 * error; it carries a stable code for programs and details for the client, and nothing internal.
 */
import { VoteNoError } from '@concordat/engine';

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * `throw new VoteNo('INSUFFICIENT_FUNDS', { account })`: the branch rolls back and votes no with this
 * code. `retryable` says that the same transaction, begun again, may succeed.
 */
export class VoteNo extends VoteNoError {
  override readonly name = 'VoteNo';

  constructor(
    code: string,
    details?: Readonly<Record<string, unknown>>,
    options: { readonly reason?: string; readonly retryable?: boolean } = {},
  ) {
    super(code, details, options);
    if (!CODE.test(code)) {
      throw new RangeError(
        `a vote's code is upper case, e.g. OUT_OF_STOCK, at most 64 characters; this is ${JSON.stringify(code)}`,
      );
    }
  }
}
