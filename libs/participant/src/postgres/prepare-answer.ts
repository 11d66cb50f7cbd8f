/**
 * What the answer to PREPARE TRANSACTION proves. Guards protocol §4.2: `prepared` only on its command tag,
 * a certain no only on the server's own word that it has not run or was rolled back, and `unknown` for
 * everything else: a lost connection, silence, what a pooler says in the place of a server. Pure: no clock,
 * no database.
 */
import type { VoteAgainst } from '@concordat/protocol';
import type { Bounded } from './bounded.js';
import { COMMITTED, PREPARED } from './branch.sql.js';
import { StepFailed } from './flight.js';
import { commitUnanswered, prepareUnanswered, standbyNotAwaited } from './resource-noes.js';
import { sqlErrorOf } from './sqlstate.js';
import { swallowed, voteOfPrepare } from './votes-of-errors.js';

/** What a branch came to. `cause` is what the database or the driver said itself, if it said anything. */
export type Judged =
  | { readonly kind: 'prepared' }
  /** In one phase: committed, durably. */
  | { readonly kind: 'committed' }
  /** Certainly not prepared. */
  | { readonly kind: 'no'; readonly vote: VoteAgainst; readonly cause?: unknown }
  /** Perhaps prepared; `vote` is what may be said meanwhile. */
  | { readonly kind: 'unknown'; readonly vote: VoteAgainst; readonly cause?: unknown };

/**
 * `answer`: the first word of PREPARE's command tag. `signalled`: a signal to end a wait of its session was
 * sent, and no statement is known to have met it.
 */
export function judgePrepare(answer: Bounded<string>, signalled: boolean): Judged {
  switch (answer.kind) {
    case 'value':
      // The trap this library exists for: in a failed transaction PREPARE *succeeds*, tag ROLLBACK.
      if (answer.value !== PREPARED) return { kind: 'no', vote: swallowed() };
      // Too late for the wait that it was sent for, it may have ended the one for a standby.
      if (signalled) return { kind: 'unknown', vote: standbyNotAwaited() };
      return { kind: 'prepared' };
    case 'error': {
      const { certain, vote } = voteOfPrepare(answer.error);
      return { kind: certain ? 'no' : 'unknown', vote, cause: answer.error };
    }
    case 'timeout':
      // Maybe prepared, maybe about to be: the backend goes on after we have left.
      return { kind: 'unknown', vote: prepareUnanswered() };
  }
}

/**
 * The same of COMMIT, in one phase: `committed` only on its command tag. An error of COMMIT proves nothing here:
 * the answer to the abort says what became of it.
 */
export function judgeCommit(answer: Bounded<string>, signalled: boolean): Judged {
  switch (answer.kind) {
    case 'value':
      if (answer.value !== COMMITTED) return { kind: 'no', vote: swallowed() };
      if (signalled) return { kind: 'unknown', vote: standbyNotAwaited() };
      return { kind: 'committed' };
    case 'error':
      return { kind: 'unknown', vote: voteOfPrepare(answer.error).vote, cause: answer.error };
    case 'timeout':
      return { kind: 'unknown', vote: commitUnanswered() };
  }
}

/** Errors of connections, and of a server that goes down: a pooler says the same of a server that it lost. */
const OF_CONNECTIONS = /^(08|57P|58)/;

/**
 * Whether the error of a flight proves that its step `prepare`, the last one, has not run: nothing was sent,
 * or the server itself said the error of an earlier step. A server answers in order, so what ended a session
 * at an earlier step ended it before PREPARE, and what failed one skipped it. A server names the routine that
 * speaks; a pooler, in the place of one that it has lost, names none.
 */
export function provesNotPrepared(error: unknown, prepare: number): boolean {
  if (!(error instanceof StepFailed)) return false;
  if (!error.wasSent) return true;
  const sql = sqlErrorOf(error);
  if (!sql || error.step >= prepare) return false;
  return sql.routine !== undefined || (sql.severity === 'ERROR' && !OF_CONNECTIONS.test(sql.code));
}
