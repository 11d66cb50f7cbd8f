/** The noes that the resource gives by itself, where no error of the database says why. */
import type { BranchKey } from '@concordat/engine';
import { NoCode, decidedAt, protocolNo, type VoteAgainst } from '@concordat/protocol';

export function noBlock(): VoteAgainst {
  return protocolNo(
    NoCode.resourceFault,
    'BEGIN did not open a transaction: a pooler that pools by statement, or no Postgres.',
  );
}

export function gone(): VoteAgainst {
  return protocolNo(NoCode.branchLost, 'The session of this branch has already ended.');
}

export function stopped(): VoteAgainst {
  return protocolNo(NoCode.shuttingDown, 'This instance stopped before the branch had voted.');
}

/** Statements counted rows that left no transaction id; from now on that is looked at before PREPARE. */
export function rowsWithoutId(): VoteAgainst {
  return protocolNo(
    NoCode.resourceUnavailable,
    'Statements counted rows as written that are not in this database (a foreign table, or a trigger that does something else instead). From now on this instance looks before it prepares: try again.',
  );
}

/** A function or a trigger took on a role; from now on the service's own is taken first. */
export function roleTaken(): VoteAgainst {
  return protocolNo(
    NoCode.resourceUnavailable,
    'The branch works as a role that may not write the outcome row, or this service itself may not. From now on this instance takes its own role first: try again.',
  );
}

/** A prepare of one phase that comes after all that may be known of its transaction was forgotten. */
export function pastRetention(): VoteAgainst {
  return protocolNo(
    NoCode.alreadyFinished,
    'This transaction is past the retention of this service: a late prepare.',
  );
}

/** What says which transactions are past retention is gone: it is made again as soon as a coordinator has said what may be. */
export function markLost(): VoteAgainst {
  return protocolNo(
    NoCode.markLost,
    'The row of concordat_closed is gone (emptied with the tables of this service?). It is made again once a coordinator answers: try again.',
  );
}

/** Somebody else ended the wait, or a time-out did. */
export function standbyWaitEnded(): VoteAgainst {
  return protocolNo(
    NoCode.resourceUnavailable,
    'The wait for a synchronous standby was ended: whether a standby has this branch is not known.',
  );
}

export function standbyNotAwaited(): VoteAgainst {
  return protocolNo(
    NoCode.resourceUnavailable,
    'The branch was signalled to end a wait and went on all the same: whether a standby has it is not known.',
  );
}

export function prepareUnanswered(): VoteAgainst {
  const reason = 'PREPARE TRANSACTION was not answered in the time left; it may be prepared.';
  return protocolNo(NoCode.resourceUnavailable, reason);
}

export function commitUnanswered(): VoteAgainst {
  const reason = 'COMMIT was not answered in the time left; it may be committed.';
  return protocolNo(NoCode.resourceUnavailable, reason);
}

/** Why this participant can have no branch of a transaction: another one decides it, by its id. */
export function elsewhere({ transaction, participant }: BranchKey): VoteAgainst | undefined {
  const place = decidedAt(transaction);
  if (place === undefined || place === participant) return undefined;
  const reason = `The transaction is decided at ${place}, so this participant can have no branch of it.`;
  return protocolNo(NoCode.internal, reason);
}

export function unavailable(why: string): VoteAgainst {
  return protocolNo(NoCode.resourceUnavailable, `The database is not available: ${why}.`);
}
