/**
 * What the log of a service says about votes against: one line for every no that the library casts for
 * the database, for time or for its own limits, with what the server said. Guards "the vote for the
 * client, the words for the log": only here may the words of the server go, which can quote data. What
 * an operator or an author has to act on is an error, with a stack where the author's code threw;
 * everything else is a warning. Business refusals are not logged by the library.
 */
import { NoCode, formatGid, type VoteAgainst } from '@concordat/protocol';
import type { BranchKey, Clock } from '@concordat/engine';
import type { RecentErrors } from '../inspection/recent-errors.js';
import type { BranchMisuse } from '../postgres/branch-session.js';
import { misuseIn } from '../postgres/misuse-vote.js';
import type { RefusedBranch } from '../postgres/postgres-resource.js';
import { sqlErrorOf } from '../postgres/sqlstate.js';
import type { ParticipantLog } from './participant-options.js';
import { PatientLog } from './patient-log.js';

const TO_ACT_ON: ReadonlySet<string> = new Set([
  NoCode.branchMisuse,
  NoCode.handlerFailed,
  NoCode.resourceFault,
  NoCode.internal,
]);
/** What admission says: under load to many in a second, so once in a while is enough. */
const TURNED_AWAY: ReadonlySet<string> = new Set([
  NoCode.inDoubtLimit,
  NoCode.sessionsBusy,
  NoCode.slotsBusy,
  NoCode.overloaded,
  NoCode.sessionRecalled,
]);
/** Why an operation was stopped, where that is reported elsewhere or not worth a line. */
const SAID_ALREADY: ReadonlySet<string> = new Set([
  NoCode.deadline,
  NoCode.leaseExpired,
  NoCode.sessionRecalled,
]);
const WORDS_MAX = 1_000;

export class VoteLog {
  private readonly often: PatientLog;
  /** Misuses that are in the log already. */
  private readonly misuses = new WeakSet<BranchMisuse>();

  constructor(
    private readonly log: ParticipantLog,
    private readonly errors: RecentErrors,
    clock: Clock,
  ) {
    this.often = new PatientLog(clock, (message) => log.warn(message));
  }

  /** At once, for a service can swallow the error: its stack says where the work was tried. */
  misused(misuse: BranchMisuse): void {
    this.misuses.add(misuse);
    this.log.error(describe(misuse));
  }

  /** An operation failed; `vote` is what that means, where the database knows. */
  operationFailed(branch: BranchKey, error: unknown, vote: VoteAgainst | undefined): void {
    const gid = formatGid(branch);
    const code = vote?.code ?? NoCode.handlerFailed;
    const misuse = misuseIn(error);
    if (vote && !TO_ACT_ON.has(code)) this.log.warn(`${line(gid, vote)}${saidBy(error)}`);
    else if (!misuse || !this.misuses.has(misuse)) {
      this.log.error(`an operation of ${gid} failed, it votes no, ${code}: ${describe(error)}`);
    }
    this.note(gid, code);
  }

  /** The library itself failed. */
  libraryFailed(branch: BranchKey, error: unknown): void {
    const gid = formatGid(branch);
    this.log.error(`the participant library failed in ${gid}: ${describe(error)}`);
    this.note(gid, NoCode.internal);
  }

  /**
   * The database refused a branch at its beginning, at the outcome row or at PREPARE. While no connection is
   * available, every branch meets the same error, and one line at intervals is enough.
   */
  refused({ branch, vote, cause, at }: RefusedBranch): void {
    const gid = formatGid(branch);
    const text = `${line(gid, vote)}${saidBy(cause)}`;
    const write = (message: string): void => {
      if (TO_ACT_ON.has(vote.code)) this.log.error(message);
      else this.log.warn(message);
    };
    if (at === 'begin') this.often.say(text, vote.reason, write);
    else write(text);
    this.errors.note('branch', `${gid} votes no, ${vote.code}`);
  }

  /** Its time or its lease was over while it was at work. */
  expired(branch: BranchKey, vote: VoteAgainst): void {
    const gid = formatGid(branch);
    this.log.warn(line(gid, vote));
    this.errors.note('branch', `${gid} votes no, ${vote.code}`);
  }

  /**
   * An operation was stopped because its branch had been ended. Why is said already where time was
   * over; an abort is everyday life, and so is a session that is recalled: its operation runs again.
   */
  stopped(branch: BranchKey, what: string, because: VoteAgainst): void {
    if (SAID_ALREADY.has(because.code)) return;
    const gid = formatGid(branch);
    const text = `${what} of ${gid} was stopped, ${because.code}: ${because.reason}`;
    if (because.code === NoCode.alreadyFinished) this.log.log(text);
    else this.log.warn(text);
  }

  /** A coordinator answered that its transaction is aborted: its own is gone or did not send it. */
  freed(branch: BranchKey): void {
    this.log.warn(`${formatGid(branch)} is rolled back: its transaction was aborted`);
  }

  /** What admission said, now and then. */
  voted(vote: VoteAgainst): void {
    if (!TURNED_AWAY.has(vote.code)) return;
    this.often.say(`branches are turned away, ${vote.code}: ${vote.reason}`, vote.code);
  }

  private note(gid: string, code: string): void {
    this.errors.note('operation', `${gid} votes no, ${code}`);
  }
}

/** An error for the log, whatever was thrown. */
export function describe(error: unknown): string {
  try {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } catch {
    return 'something was thrown that cannot be shown';
  }
}

function line(gid: string, { code, reason }: VoteAgainst): string {
  return `${gid} votes no, ${code}: ${reason}`;
}

/** The words behind a vote, on one line. */
function saidBy(cause: unknown): string {
  if (cause === undefined) return '';
  const sql = sqlErrorOf(cause);
  if (sql) {
    const { severity, code, message, where } = sql;
    const context = where === undefined ? '' : `; ${where}`;
    return ` The server said: ${oneLine(`${severity} ${code}: ${message}${context}`)}`;
  }
  const said = cause instanceof Error ? cause.message : describe(cause);
  return ` The cause: ${oneLine(said)}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, WORDS_MAX);
}
