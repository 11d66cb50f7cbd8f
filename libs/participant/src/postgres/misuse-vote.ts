/**
 * A misuse of a branch as a vote. Guards "each failure names its remedy": the vote itself says what the
 * operation did and what to do instead. The messages are ours and quote no data.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import type { BranchMisuse } from './branch-session.js';

const UNWRAP_DEPTH_MAX = 5;

/** The misuse inside the error that an ORM made of it, of any copy of this library. */
export function misuseIn(error: unknown): BranchMisuse | undefined {
  let one: unknown = error;
  for (let depth = 0; depth < UNWRAP_DEPTH_MAX && one instanceof Error; depth++) {
    if (one.name === 'BranchMisuse') return one as BranchMisuse;
    const { driverError, original, cause } = one as Error &
      Record<'driverError' | 'original', unknown>;
    one = driverError ?? original ?? cause;
  }
  return undefined;
}

export function voteOfMisuse(error: unknown): VoteAgainst | undefined {
  const misuse = misuseIn(error);
  return misuse && protocolNo(NoCode.branchMisuse, sentence(misuse.message));
}

/** What an ORM's transaction has written so far would be committed, and the rest of it refused. */
export function partOpen(): VoteAgainst {
  return protocolNo(
    NoCode.branchMisuse,
    'The operation returned while a transaction of its ORM was at work in the branch: await every transaction.',
  );
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
