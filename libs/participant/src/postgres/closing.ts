/**
 * The last statements of a branch before its vote: deferred work, checks, the session as it was before,
 * the outcome row; and the end of a branch that is not prepared. Guards "a branch is its service's own,
 * from the first statement to the outcome": it is prepared by the service's role whatever role its work
 * took on, nothing of it has an effect outside before the decision, and nothing is left on the pooled
 * connection after it.
 */
import { NoCode, formatGid, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { voteMarginMs, type BranchKey, type Clock } from '@concordat/engine';
import type { QueryResult } from 'pg';
import { bounded } from './bounded.js';
import {
  COMMIT_READ_ONLY,
  FOREIGN_WRITES,
  FORGET_SEQUENCES,
  PREPARED_IN_SQL,
  PUT_BACK,
  RESET_SETTINGS,
  ROLL_BACK,
  RUN_DEFERRED,
  UNDO,
  checkStep,
  deallocateSql,
  milliseconds,
} from './branch.sql.js';
import type { PostgresSession } from './branch-session.js';
import { StepFailed, type FlightRow, type FlightStatement, type FlightStep } from './flight.js';
import {
  swallowed,
  voteOfConnect,
  voteOfDeferredWork,
  voteOfOutcomeRow,
  voteOfOwnStatement,
} from './votes-of-errors.js';

export interface ClosingOptions {
  readonly clock: Clock;
  /** The statement of the outcome row. */
  readonly insertOutcome: FlightStatement;
  /** Whether connections keep statements by name. */
  readonly named: boolean;
  /** The role that finishes what is prepared; asked for once. */
  readonly ownRole: () => string | Promise<string>;
}

/** What a branch came to when it closed. `wrote`: it is ready for PREPARE TRANSACTION. */
export type Closed =
  | { readonly kind: 'wrote' }
  /** Ended for good; its connection is clean. */
  | { readonly kind: 'read-only' }
  /** `cause` is what the database or the driver said itself, if it said anything. */
  | { readonly kind: 'no'; readonly vote: VoteAgainst; readonly cause?: unknown };

/** Postgres' own idle time-out is the second net: the engine's deadline acts first. */
const IDLE_MARGIN_MS = 1_000;

export class Closing {
  constructor(private readonly options: ClosingOptions) {}

  /** Closes a branch in the time left. Never rejects; whatever fails here is a certain no. */
  async close(branch: BranchKey, session: PostgresSession, timeLeftMs: number): Promise<Closed> {
    const endsAt = this.options.clock.now() + timeLeftMs;
    const left = () => Math.max(1, endsAt - this.options.clock.now());
    const known = this.options.ownRole();
    const role =
      typeof known === 'string'
        ? ({ kind: 'value', value: known } as const)
        : await this.within(left(), known);
    if (role.kind === 'timeout') return no(tooLate());
    if (role.kind === 'error') return no(voteOfConnect(role.error), role.error);
    const steps = this.steps(branch, session, { role: role.value, timeLeftMs: left() });
    const answer = await this.within(left(), session.fly(steps, { named: this.options.named }));
    if (answer.kind === 'timeout') return no(tooLate());
    if (answer.kind === 'error') {
      return no(voteOfStep(answer.error, steps.length - 1), answer.error);
    }
    const [check] = answer.value[1] ?? [];
    const [outcome] = answer.value.at(-1) ?? [];
    if (!check || !outcome || check['same'] !== 't') return no(endedByOperation());
    if (check['own_login'] !== 't') return no(anotherLogin());
    await this.forget(session, check, left());
    if (outcome['wrote'] === 't') return { kind: 'wrote' };
    return this.endReadOnly(session, check, left());
  }

  /** Rolls a branch back that will not be prepared; says whether its connection may be used again. */
  async undo(session: PostgresSession, waitMs: number): Promise<'clean' | 'in-doubt'> {
    const answer = await this.within(waitMs, session.statement(UNDO));
    if (answer.kind !== 'value') return 'in-doubt';
    const [, second] = answer.value as unknown as QueryResult<FlightRow>[];
    return second?.rows[0]?.['statements'] ? 'in-doubt' : 'clean';
  }

  private steps(
    branch: BranchKey,
    session: PostgresSession,
    { role, timeLeftMs }: { readonly role: string; readonly timeLeftMs: number },
  ): FlightStep[] {
    const { before } = session;
    // Waiting for the key of the outcome row ends before the time does.
    const waitMs = milliseconds(timeLeftMs - voteMarginMs(timeLeftMs));
    const lastMs = milliseconds(timeLeftMs);
    const putBack = Object.keys(before.settings).length > 0;
    return [
      RUN_DEFERRED,
      checkStep([formatGid(branch), before.login, before.role, role], session.calledOut),
      RESET_SETTINGS,
      ...(putBack ? [{ ...PUT_BACK, values: [JSON.stringify(before.settings)] }] : []),
      FORGET_SEQUENCES,
      {
        ...this.options.insertOutcome,
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

  private within<T>(ms: number, promise: Promise<T>) {
    return bounded(this.options.clock, ms, promise);
  }
}

/**
 * Deferred work is the operation's, every other step is ours. Only the key of the outcome row makes a
 * lock time-out mean that the branch is finished elsewhere.
 */
function voteOfStep(error: unknown, claim: number): VoteAgainst {
  const step = error instanceof StepFailed ? error.step : claim;
  if (step === claim) return voteOfOutcomeRow(error);
  if (step > 0) return voteOfOwnStatement(error);
  return voteOfDeferredWork(error);
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
    'The operation changed the session’s user, which would own the prepared branch: nobody else could finish it. Use SET LOCAL ROLE instead of SET SESSION AUTHORIZATION.',
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
