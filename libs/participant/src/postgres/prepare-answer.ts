/**
 * What the answer to PREPARE TRANSACTION proves. Guards protocol §4.2: `prepared` only on its command tag,
 * a certain no only on the server's own word that it has not run or was rolled back, and `unknown` for
 * everything else: a lost connection, silence, what a pooler says in the place of a server. Pure: no clock,
 * no database.
 */
import type { VoteAgainst } from '@concordat/protocol';
import type { Bounded } from './bounded.js';
import { PREPARED } from './branch.sql.js';
import { StepFailed } from './flight.js';
import { COMMITTED } from './one-phase.sql.js';
import {
  commitUnanswered,
  prepareUnanswered,
  standbyNotAwaited,
  standbyWaitEnded,
} from './resource-noes.js';
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

/** What is known of the session beside the answer. */
export interface Circumstances {
  /** A signal to end a wait of its session was sent, and no statement is known to have met it. */
  readonly signalled: boolean;
  /** The server says that the wait for a standby was ended, by whatever. */
  readonly waitEnded?: boolean;
}

/** What a success does not prove: that a standby has it. */
function doubted({ signalled, waitEnded }: Circumstances): Judged | undefined {
  if (waitEnded) return { kind: 'unknown', vote: standbyWaitEnded() };
  // Too late for the wait that it was sent for, it may have ended the one for a standby.
  return signalled ? { kind: 'unknown', vote: standbyNotAwaited() } : undefined;
}

/** `answer`: the first word of PREPARE's command tag. */
export function judgePrepare(answer: Bounded<string>, circumstances: Circumstances): Judged {
  switch (answer.kind) {
    case 'value':
      // The trap this library exists for: in a failed transaction PREPARE *succeeds*, tag ROLLBACK.
      if (answer.value !== PREPARED) return { kind: 'no', vote: swallowed() };
      return doubted(circumstances) ?? { kind: 'prepared' };
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
 * The same of COMMIT, in one phase: `committed` only on its command tag. `commit`: which step of the flight it is. What a
 * server refuses before it commits (a serialization failure, a trigger) is a certain no, as of PREPARE; an error of
 * a later step says that it has committed or not, and is unknown.
 */
export function judgeCommit(
  answer: Bounded<string>,
  circumstances: Circumstances,
  commit = 0,
): Judged {
  switch (answer.kind) {
    case 'value':
      if (answer.value !== COMMITTED) return { kind: 'no', vote: swallowed() };
      return doubted(circumstances) ?? { kind: 'committed' };
    case 'error': {
      const { certain, vote } = voteOfPrepare(answer.error);
      const { error } = answer;
      const isItsOwn =
        error instanceof StepFailed &&
        error.step === commit &&
        sqlErrorOf(error)?.routine !== undefined;
      return { kind: certain && isItsOwn ? 'no' : 'unknown', vote, cause: error };
    }
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
