/**
 * The noes that the branch manager gives by itself. Guards "a reason is true": each says what became of
 * the branch, and blames nobody who is not to blame.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';

export function branchLost(): VoteAgainst {
  return protocolNo(NoCode.branchLost, 'The open work of this branch is gone from this instance.');
}

export function libraryFailed(): VoteAgainst {
  return protocolNo(NoCode.internal, 'The participant library failed; see the service’s log.');
}

export function abortedMeanwhile(): VoteAgainst {
  const reason = 'The transaction was aborted while this branch was at work.';
  return protocolNo(NoCode.alreadyFinished, reason);
}

export function overtaken(): VoteAgainst {
  const reason = 'The transaction was over before this branch was ready.';
  return protocolNo(NoCode.alreadyFinished, reason);
}
