/**
 * Waiting for the database while a service starts: a step whose connection is refused or lost is run
 * again until it succeeds or the time is over. Guards "each failure names its remedy" for every step of
 * a start alike; what the database refuses in so many words is passed on at once.
 */
import { SystemClock } from '@concordat/channel';
import type { Clock } from '@concordat/engine';
import { durationText } from '@concordat/words';
import { MigrationBlocked } from '../postgres/migrate.js';
import { SqlState, isConnectionLost, sqlErrorOf } from '../postgres/sqlstate.js';
import { DEFAULTS, type ParticipantLog } from './participant-options.js';
import { PatientLog } from './patient-log.js';

const RETRY_MS = 250;

/** The database did not answer in time. */
export class DatabaseUnreachable extends Error {
  override readonly name = 'DatabaseUnreachable';
}

export interface DatabaseWait {
  /** Whose database it is, for messages. */
  readonly name: string;
  /** Milliseconds; 30 seconds unless given. */
  readonly waitMs?: number;
  /** Called at intervals with what is waited for. */
  readonly log?: Pick<ParticipantLog, 'warn'>;
  readonly clock?: Clock;
  /** Ends the wait: the last error is passed on. */
  readonly signal?: AbortSignal;
}

/**
 * Runs `work`, and runs it again while the database is away: not started, starting up, out of
 * connections, or gone in the middle of the work. So `work` must be such that its repetition after any
 * part of it does no harm: close what it opened, and let migrations ask what has been applied.
 * Rejects with {@link DatabaseUnreachable}, cause and remedy in its message, when the time is over, and
 * with any other error at once.
 */
export function untilDatabaseAnswers<T>(work: () => Promise<T>, wait: DatabaseWait): Promise<T> {
  return new DatabasePatience(wait).step(work);
}

/** Several steps of one start, which share the time. */
export class DatabasePatience {
  private readonly clock: Clock;
  private readonly waitMs: number;
  private readonly startedAt: number;
  private readonly waiting: PatientLog;

  constructor(private readonly wait: DatabaseWait) {
    this.clock = wait.clock ?? new SystemClock();
    this.waitMs = wait.waitMs ?? DEFAULTS.databaseWaitMs;
    this.startedAt = this.clock.now();
    this.waiting = new PatientLog(this.clock, (message) => wait.log?.warn(message));
  }

  /** Milliseconds that are left; 0 when the time is over. */
  get leftMs(): number {
    return Math.max(0, this.startedAt + this.waitMs - this.clock.now());
  }

  /** Crash or a cut anywhere in the step: it is run again from its beginning. */
  async step<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isWorthWaiting(error)) throw error;
        if (this.wait.signal?.aborted) throw error;
        if (this.leftMs === 0) throw this.unreachable(error);
        this.waiting.say(`waiting for the database: ${reasonOf(error)}`);
        await new Promise<void>((resolve) => this.clock.after(RETRY_MS, resolve));
      }
    }
  }

  private unreachable(error: unknown): Error {
    if (error instanceof MigrationBlocked) return error;
    return new DatabaseUnreachable(
      `the database of ${this.wait.name} did not answer within ${durationText(this.waitMs)}: ${reasonOf(error)}\nRemedy: ${remedyFor(error)}`,
      { cause: error },
    );
  }
}

function isWorthWaiting(error: unknown): boolean {
  if (error instanceof MigrationBlocked) return true;
  // TypeORM's error for a connection whose loss the driver has reported between two statements.
  const isGone = error instanceof Error && error.name === 'QueryRunnerAlreadyReleasedError';
  return isGone || isConnectionLost(error);
}

/** What to do about an unavailable database, by its last error. */
function remedyFor(error: unknown): string {
  switch (sqlErrorOf(error)?.code ?? '') {
    case SqlState.wrongPassword:
    case SqlState.noLogin:
      return 'correct its address, user and password; pg_hba.conf of the server decides who may connect.';
    case SqlState.noDatabase:
      return 'create the database, or correct its address.';
    case SqlState.tooManyConnections:
      return 'raise the connection limit that it names, or give this service and those beside it smaller pools.';
    case SqlState.cannotConnectNow:
      return 'wait until the server takes connections and start this service again; the server’s log says what it does.';
    default:
      return 'start it, or correct its address.';
  }
}

/** One line: errors of Node can carry several, or none. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  return error instanceof Error ? error.message || error.name : String(error);
}
