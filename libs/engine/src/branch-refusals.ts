/**
 * The noes that the branch manager gives by itself. Guards "a reason is true": each says what happened to the
 * branch, and names no cause that is not known to be one.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { durationText } from '@concordat/words';

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

/** Its session went to others while it waited for a lock. */
export function sessionRecalled(): VoteAgainst {
  const reason =
    'It waited for a lock while others needed its session, which was recalled. Nothing of it is left.';
  return protocolNo(NoCode.sessionRecalled, reason);
}

/** The last wait for the lock was without a session. */
export function lockNotFree(waitedMs: number): VoteAgainst {
  const reason = `It waited for a lock, which was not free within ${durationText(waitedMs)}: the last of them without a session, for others waited for it here already.`;
  return protocolNo(NoCode.lockTimeout, reason);
}
