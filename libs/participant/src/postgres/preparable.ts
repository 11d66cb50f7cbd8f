/** What the session of a branch shows before it is closed: why it cannot be prepared. */
import type { VoteAgainst } from '@concordat/protocol';
import type { PostgresSession } from './branch-session.js';
import { endedByOperation } from './closing.js';
import { partOpen } from './misuse-vote.js';
import { lost, swallowed } from './votes-of-errors.js';

/** Why its wait was ended, where that is what failed it. */
export function recalledOr(session: PostgresSession, vote: VoteAgainst): VoteAgainst {
  return (session.isRecalled ? session.endedBy : undefined) ?? vote;
}

/** Why a branch cannot be prepared, as far as its connection shows it. */
export function whyNotPreparable(session: PostgresSession): VoteAgainst | undefined {
  if (session.lost) return session.endedBy ?? lost();
  if (session.isRecalled) return session.endedBy;
  switch (session.transactionStatus) {
    case 'E':
      return swallowed();
    case 'I':
      return session.hasBegun ? endedByOperation() : undefined;
    case 'T':
    case null:
      return session.openParts > 0 ? partOpen() : undefined;
  }
}
