/**
 * The last statements of a branch before its vote: deferred work, checks, the session as it was before,
 * the outcome row, PREPARE TRANSACTION; and the end of a branch that is not prepared. Guards "a branch is
 * its service's own, from the first statement to the outcome": it is prepared by the service's role whatever
 * role its work took on, nothing of it has an effect outside before the decision, and nothing is left on the
 * pooled connection after it; and protocol §4.2, `prepared` only on the command tag, `unknown` whenever the
 * answer was lost.
 *
 * A branch that is known to have written is closed and prepared in one flight: the checks fail where it may
 * not be prepared, and the server runs nothing of a flight behind what fails. For any other branch PREPARE is
 * a message of its own, sent when it is known that it wrote and what it left on the connection.
 */
import { NoCode, decidedAt, formatGid, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { voteMarginMs, type BranchKey, type Clock } from '@concordat/engine';
import type { QueryResult } from 'pg';
import { bounded, type Bounded } from './bounded.js';
import {
  CHECK_FAILS,
  COMMIT_READ_ONLY,
  FOREIGN_WRITES,
  FORGET_SEQUENCES,
  NO_FOREIGN_WRITES,
  PREPARED_IN_SQL,
  PUT_BACK,
  RESET_SETTINGS,
  ROLL_BACK,
  RUN_DEFERRED,
  UNDO,
  checkStep,
  deallocateSql,
  milliseconds,
  prepareSql,
  prepareStep,
  type CheckKind,
  type OutcomeStatements,
} from './branch.sql.js';
import type { PostgresSession } from './branch-session.js';
import { StepFailed, type FlightRow, type FlightStep } from './flight.js';
import {
  COMMIT_STEP,
  LEAVE_NOTHING,
  LEFT_BEHIND,
  type OnePhaseStatements,
} from './one-phase.sql.js';
import { judgeCommit, judgePrepare, provesNotPrepared, type Judged } from './prepare-answer.js';
import { markLost, pastRetention, roleTaken, rowsWithoutId } from './resource-noes.js';
import type { SessionState } from './session-state.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';
import {
  swallowed,
  voteOfConnect,
  voteOfDeferredWork,
  voteOfOutcomeRow,
  voteOfOwnStatement,
} from './votes-of-errors.js';

export interface ClosingOptions {
  readonly clock: Clock;
  readonly statements: Pick<OutcomeStatements, 'insertOutcome' | 'claimOutcome'> &
    Pick<OnePhaseStatements, 'insertDecision'>;
  /** Whether connections keep statements by name. */
  readonly named: boolean;
  /** What is known of this service's side of the database; asked for once. */
  readonly ownSide: () => OwnSide | Promise<OwnSide>;
  /** Called where the mark of one phase is gone. */
  readonly markLost: () => void;
  /** Ends what the sessions of a branch wait for, if it is a lock. */
  readonly endWaitsOf: (branch: BranchKey) => Promise<void>;
}

/** What connections of this service begin with, and what its database is like. */
export interface OwnSide {
  /** The role that finishes what is prepared. */
  readonly role: string;
  /** From which level on its sessions are told what a server says beside its answers. */
  readonly messages: string;
  /** Rows that a statement counts may have been written elsewhere, or not at all. */
  readonly countsMayDeceive: boolean;
  /** The role of the service may write outcome rows, or it is not known that it may not. */
  readonly mayWrite: boolean;
}

/** What a branch came to when it closed. `cause` is what the database or the driver said itself, if anything. */
export type Closed =
  /** Nothing was written, permanently ended; its connection is clean. */
  { readonly kind: 'read-only' } | Judged;

/** PREPARE and ROLLBACK get at least this long, however little time is left: both are quick or stuck. */
export const LAST_STATEMENT_MS_MIN = 250;
/** Postgres' own idle time-out is the second net: the engine's deadline acts first. */
const IDLE_MARGIN_MS = 1_000;

export class Closing {
  /** A branch counted rows as written and had no transaction id: counts are not believed any more. */
  private wasDeceived = false;
  /** A branch was found to work as a role that may not write outcome rows, and no statement said so. */
  private areRolesTaken = false;

  constructor(private readonly options: ClosingOptions) {}

  /** Closes a branch in the time left, and prepares it if it wrote. Never rejects. */
  async close(branch: BranchKey, session: PostgresSession): Promise<Closed> {
    const known = this.options.ownSide();
    const own =
      'role' in known
        ? ({ kind: 'value', value: known } as const)
        : await this.within(this.timeLeft(session), known);
    if (own.kind === 'timeout') return no(tooLate());
    if (own.kind === 'error') return no(voteOfConnect(own.error), own.error);
    const { role, countsMayDeceive } = own.value;
    const isTold = session.signalled && (await this.isTold(session));
    const hasWritten = session.hasWritten && !countsMayDeceive && !this.wasDeceived;
    // What it may have called is looked at before PREPARE: prepared statements, which are forgotten.
    return hasWritten && !session.calledOut && !session.isPipelined && !session.signalled
      ? this.prepareAtOnce(branch, session, own.value)
      : this.lookAndPrepare(branch, session, role, isTold);
  }

  /**
   * Whether a signal that was to end a wait has been sent by now, if it ever is. A branch whose wait had ended
   * before goes on beside the question; one that could still be sent might end a wait for a standby.
   */
  private async isTold(session: PostgresSession): Promise<boolean> {
    const told = await this.within(this.timeLeft(session), session.signalTold());
    return told.kind === 'value' && told.value;
  }

  private async prepareAtOnce(
    branch: BranchKey,
    session: PostgresSession,
    own: OwnSide,
  ): Promise<Closed> {
    const { role } = own;
    const inOnePhase = decidedAt(branch.transaction) !== undefined;
    const isClaimed = !inOnePhase && this.mayClaim(session, own);
    const closing = isClaimed
      ? this.claimSteps(branch, session)
      : this.steps(branch, session, { role, check: 'wrote' });
    const last = inOnePhase ? commitAlone(session) : [prepareStep(formatGid(branch))];
    const steps = [...closing, ...last];
    // Crash or a cut from here on, until the answer is read: it may be prepared, and then the resolver
    // inquires, or committed in one phase, and then its owner asks. Only the server's own word on a step before
    // that is a certain no.
    const sent = session.fly(steps, { named: this.options.named });
    let answer = await this.within(this.timeLeft(session), sent);
    if (answer.kind === 'timeout') {
      // What waits for a lock has not come to PREPARE, and is soon known not to.
      await this.within(LAST_STATEMENT_MS_MIN, this.options.endWaitsOf(branch));
      answer = await this.within(LAST_STATEMENT_MS_MIN, sent);
    }
    if (answer.kind === 'error' && provesNotPrepared(answer.error, closing.length)) {
      if (failedCheck(answer.error) === CHECK_FAILS.wrote) this.wasDeceived = true;
      if (isClaimed && isRoleTaken(answer.error)) {
        this.areRolesTaken = true;
        return no(roleTaken(), answer.error);
      }
      return no(
        this.voteOfStep(answer.error, isClaimed ? CLAIM : closing.length - 1),
        answer.error,
      );
    }
    if (inOnePhase) return this.committed(session, answer, closing.length);
    const tag =
      answer.kind === 'value'
        ? ({ kind: 'value', value: answer.value.at(-1)?.[0]?.['tag'] ?? '' } as const)
        : answer;
    return this.judge(session, tag);
  }

  /** The same of COMMIT in one phase. Crash or a cut before its answer is read: it may be committed, and its owner asks. */
  private async committed(
    session: PostgresSession,
    answer: Bounded<FlightRow[][]>,
    at: number,
  ): Promise<Judged> {
    if (answer.kind !== 'value') return judgeCommit(answer, session, at);
    const [commit] = answer.value.slice(-commitAlone(session).length);
    if (!session.isPooled && answer.value.at(-1)?.[0]?.['keeps'] !== 'f') session.spoil();
    if (session.signalled) await this.isTold(session);
    return judgeCommit({ kind: 'value', value: commit?.[0]?.['tag'] ?? '' }, session);
  }

  /** Judges the answer to PREPARE, once it is known whether a signal was sent to its session meanwhile. */
  private async judge(session: PostgresSession, answer: Bounded<string>): Promise<Judged> {
    if (answer.kind === 'value' && session.signalled) await this.isTold(session);
    return judged(answer, session);
  }

  private async lookAndPrepare(
    branch: BranchKey,
    session: PostgresSession,
    role: string,
    isTold: boolean,
  ): Promise<Closed> {
    const left = () => this.timeLeft(session);
    const steps = this.steps(branch, session, {
      role,
      check: session.calledOut ? 'calls' : 'plain',
    });
    // Until PREPARE is sent nothing can have been prepared, so everything is a certain no.
    const answer = await this.within(left(), session.fly(steps, { named: this.options.named }));
    if (answer.kind === 'timeout') return no(tooLate());
    if (answer.kind === 'error') {
      return no(this.voteOfStep(answer.error, steps.length - 1), answer.error);
    }
    // Sent before these statements, it has met none: a server that waits for the next one drops it
    // (ProcessInterrupts in postgres.c).
    if (isTold) session.signalMissed();
    const [check] = answer.value[1] ?? [];
    const [outcome] = answer.value.at(-1) ?? [];
    if (!check || !outcome) return no(endedByOperation());
    await this.forget(session, check, left());
    if (outcome['wrote'] !== 't') return this.endReadOnly(session, check, left());
    session.seal();
    if (decidedAt(branch.transaction) !== undefined) {
      const { named } = this.options;
      const sent = session.fly(commitAlone(session), { named });
      return this.committed(session, await this.within(left(), sent), 0);
    }
    const sent = session.tagOf(prepareSql(formatGid(branch)));
    return this.judge(session, await this.within(left(), sent));
  }

  private voteOfStep(error: unknown, claim: number): VoteAgainst {
    if (failedCheck(error) === CHECK_FAILS.unmarked) this.options.markLost();
    return voteOfStep(error, claim);
  }

  /** Rolls a branch back that will not be prepared; says whether its connection may be used again. */
  async undo(session: PostgresSession, waitMs: number): Promise<'clean' | 'in-doubt'> {
    const answer = await this.within(waitMs, session.statement(UNDO));
    if (answer.kind !== 'value') return 'in-doubt';
    const [, second] = answer.value as unknown as QueryResult<FlightRow>[];
    return second?.rows[0]?.['statements'] ? 'in-doubt' : 'clean';
  }

  /**
   * Whether the outcome row can be written before the role is known to be the service's again, and its settings back:
   * not where these keep a warning of PREPARE from us, which the outcome row's statement changes when it comes last.
   */
  private mayClaim({ before, tookRole }: PostgresSession, own: OwnSide): boolean {
    const isOwn = before.role === own.role && !tookRole && !this.areRolesTaken;
    const messages = before.settings['client_min_messages'] ?? own.messages;
    return own.mayWrite && isOwn && !HIDE_WARNINGS.test(messages);
  }

  /** As `steps`, but the check is a part of the outcome row's statement, under the operation's own settings. */
  private claimSteps(branch: BranchKey, session: PostgresSession): FlightStep[] {
    const { before } = session;
    const timeLeftMs = this.timeLeft(session);
    // Waiting for the key of the outcome row ends before the time does.
    const waitMs = milliseconds(timeLeftMs - voteMarginMs(timeLeftMs));
    return [
      RUN_DEFERRED,
      {
        ...this.options.statements.claimOutcome,
        values: [
          ...[branch.transaction, branch.branch, branch.participant],
          ...[formatGid(branch), before.login, before.role, `${waitMs}`],
        ],
      },
      RESET_SETTINGS,
      ...putBack(before),
      FORGET_SEQUENCES,
    ];
  }

  private steps(
    branch: BranchKey,
    session: PostgresSession,
    { role, check }: { readonly role: string; readonly check: CheckKind },
  ): FlightStep[] {
    const { before } = session;
    const timeLeftMs = this.timeLeft(session);
    // Waiting for the key of the outcome row ends before the time does.
    const waitMs = milliseconds(timeLeftMs - voteMarginMs(timeLeftMs));
    const lastMs = milliseconds(timeLeftMs);
    const inOnePhase = decidedAt(branch.transaction) !== undefined;
    const { statements } = this.options;
    return [
      RUN_DEFERRED,
      checkStep([formatGid(branch), before.login, before.role, role], check),
      RESET_SETTINGS,
      ...putBack(before),
      FORGET_SEQUENCES,
      ...(inOnePhase ? [NO_FOREIGN_WRITES] : []),
      {
        ...(inOnePhase ? statements.insertDecision : statements.insertOutcome),
        values: [
          branch.transaction,
          branch.branch,
          branch.participant,
          ...[`${waitMs}`, `${lastMs}`, `${lastMs + IDLE_MARGIN_MS}`],
        ],
      },
    ];
  }

  /** Nothing was written: end locally, take no slot, leave round two to the others. */
  private async endReadOnly(
    session: PostgresSession,
    check: FlightRow,
    waitMs: number,
  ): Promise<Closed> {
    const { named } = this.options;
    const serializable = check['isolation'] === 'serializable';
    // A rollback takes back what foreign servers were sent, if they can; a commit would not.
    const steps = serializable ? [FOREIGN_WRITES] : [FOREIGN_WRITES, ROLL_BACK];
    const looked = await this.within(waitMs, session.fly(steps, { named }));
    if (looked.kind === 'timeout') return no(tooLate());
    if (looked.kind === 'error') return no(voteOfOwnStatement(looked.error), looked.error);
    const tables = looked.value[0]?.map(({ relation }) => relation ?? '') ?? [];
    if (tables.length > 0) return no(foreignWrites(tables));
    if (!serializable) {
      return session.transactionStatus === 'I' ? { kind: 'read-only' } : no(swallowed());
    }
    const answer = await this.within(waitMs, session.statement(COMMIT_READ_ONLY));
    if (answer.kind === 'timeout') return no(tooLate());
    if (answer.kind === 'error') return no(voteOfOwnStatement(answer.error), answer.error);
    const tags = (answer.value as unknown as QueryResult[]).map((one) => one.command);
    return tags.includes('COMMIT') ? { kind: 'read-only' } : no(swallowed());
  }

  /** Statements that were prepared in SQL; where they cannot be forgotten, the connection is. */
  private async forget(session: PostgresSession, check: FlightRow, waitMs: number): Promise<void> {
    if (check['prepared'] !== 't') return;
    const listed = await this.within(waitMs, session.statement(PREPARED_IN_SQL));
    const [row] = listed.kind === 'value' ? (listed.value.rows as FlightRow[]) : [];
    if (!row?.['statements']) return session.spoil();
    const text = deallocateSql(JSON.parse(row['statements']) as string[]);
    const answer = await this.within(waitMs, session.statement(text));
    if (answer.kind !== 'value') session.spoil();
  }

  private timeLeft(session: PostgresSession): number {
    return Math.max(LAST_STATEMENT_MS_MIN, session.deadlineAt - this.options.clock.now());
  }

  private within<T>(ms: number, promise: Promise<T>) {
    return bounded(this.options.clock, ms, promise);
  }
}

/** Levels of `client_min_messages` at which no warning is sent. */
const HIDE_WARNINGS = /^(error|fatal|panic)$/i;

/** Where the outcome row is claimed in its flight. */
const CLAIM = 1;

/** What the service itself had given the session, where it had. */
function putBack({ settings }: SessionState): FlightStep[] {
  for (const _ in settings) return [{ ...PUT_BACK, values: [JSON.stringify(settings)] }];
  return [];
}

/** The role that the branch works as may not write the outcome row. */
function isRoleTaken(error: unknown): boolean {
  const isClaim = error instanceof StepFailed && error.step === CLAIM;
  return isClaim && sqlErrorOf(error)?.code === SqlState.noRight;
}

/** What was not known for the sake of others is reported as a recall, which is worth another try. */
function judged(answer: Bounded<string>, session: PostgresSession): Judged {
  const found = judgePrepare(answer, session);
  const vote = session.mayBeRecalledFor;
  return found.kind === 'unknown' && vote ? { ...found, vote } : found;
}

/** Which of its conditions the check found broken. */
function failedCheck(error: unknown): (typeof CHECK_FAILS)[keyof typeof CHECK_FAILS] | undefined {
  const sql = sqlErrorOf(error);
  if (sql?.code !== SqlState.noBoolean) return undefined;
  return Object.values(CHECK_FAILS).find((why) => sql.message.includes(why));
}

/**
 * Deferred work is the operation's, every other step is ours. Only the key of the outcome row makes a
 * lock time-out mean that the branch is finished elsewhere.
 */
function voteOfStep(error: unknown, claim: number): VoteAgainst {
  const step = error instanceof StepFailed ? error.step : claim;
  if (step === claim && !failedCheck(error)) return voteOfOutcomeRow(error);
  if (failedCheck(error) === CHECK_FAILS.foreign) return foreignWrites(['foreign tables']);
  if (failedCheck(error) === CHECK_FAILS.closed) return pastRetention();
  if (failedCheck(error) === CHECK_FAILS.unmarked) return markLost();
  if (step > 1) return voteOfOwnStatement(error);
  if (step === 1) return voteOfCheck(error);
  return voteOfDeferredWork(error);
}

function voteOfCheck(error: unknown): VoteAgainst {
  switch (failedCheck(error)) {
    case CHECK_FAILS.transaction:
      return endedByOperation();
    case CHECK_FAILS.login:
      return anotherLogin();
    case CHECK_FAILS.wrote:
      return rowsWithoutId();
    case CHECK_FAILS.foreign:
    case CHECK_FAILS.closed:
    case CHECK_FAILS.unmarked:
    case undefined:
      return voteOfOwnStatement(error);
  }
}

/**
 * The end of one phase. Behind it, whether the connection may be used again; a session that a pooler gives to others
 * after it is cleaned.
 */
function commitAlone({ isPooled }: PostgresSession): FlightStep[] {
  return isPooled ? [COMMIT_STEP, ...LEAVE_NOTHING] : [COMMIT_STEP, LEFT_BEHIND];
}

function no(vote: VoteAgainst, cause?: unknown): Closed {
  return { kind: 'no', vote, ...(cause === undefined ? {} : { cause }) };
}

export function endedByOperation(): VoteAgainst {
  return protocolNo(
    NoCode.notPreparable,
    'The operation ended its branch’s transaction itself; what it wrote may be committed. Remove COMMIT, ROLLBACK and RESET ALL from it.',
  );
}

function anotherLogin(): VoteAgainst {
  return protocolNo(
    NoCode.notPreparable,
    'The operation changed the session’s user, which would own the prepared branch: no other session could finish it. Use SET LOCAL ROLE instead of SET SESSION AUTHORIZATION.',
  );
}

function foreignWrites(tables: readonly string[]): VoteAgainst {
  return protocolNo(
    NoCode.notPreparable,
    `The operation wrote to ${tables.join(', ')} of another server, which commits by itself. Make that server’s owner a participant, or write it from a hook.`,
  );
}

export function tooLate(): VoteAgainst {
  return protocolNo(NoCode.deadline, 'The time for this transaction is over.');
}
