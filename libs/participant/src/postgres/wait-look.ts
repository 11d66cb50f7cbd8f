/**
 * Looks what the sessions of this instance wait for. Guards "undisputed work pays nothing": the database
 * is asked only about sessions that have been in one statement from one look to the next, in one query for
 * all of them, and "an answer was seen after the question was asked": no two callers share a look.
 */
import type { BranchKey, BranchWait } from '@concordat/engine';
import { formatGid } from '@concordat/protocol';
import type { Pool } from 'pg';
import type { PostgresSession } from './branch-session.js';
import { BEGIN_LOOKING_AT_WAITS, END_WAITS, LOCKS_WAITED_FOR } from './lock-wait.sql.js';
import { lend } from './pools.js';
import { waitsAmong, type SeenLock } from './waits.js';

/** Values as the server sends them: a service may have changed the driver's parsers. */
const AS_SENT = { getTypeParser: () => (value: string) => value };

export class WaitLook {
  /** Statements of each session at the last look. */
  private readonly sentBefore = new WeakMap<PostgresSession, number>();

  /** What the last look at all of them found. */
  seen: readonly BranchWait[] = [];

  constructor(
    private readonly pool: Pool,
    private readonly held: ReadonlySet<PostgresSession>,
  ) {}

  /** Rejects when the database cannot be asked: then nothing is known. */
  async waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    if (among) return this.waitsOf(this.of(among));
    return (this.seen = await this.waitsOf(this.slow()));
  }

  private async waitsOf(asked: readonly PostgresSession[]): Promise<readonly BranchWait[]> {
    if (asked.length === 0) return [];
    const locks = await lend(await this.pool.connect(), async (client) => {
      await client.query(BEGIN_LOOKING_AT_WAITS);
      const { rows } = await client.query<{ locks: string }>({
        text: LOCKS_WAITED_FOR,
        values: [asked.map(({ backend }) => backend)],
        types: AS_SENT,
      });
      await client.query('COMMIT');
      return JSON.parse(rows[0]?.locks ?? '[]') as SeenLock[];
    });
    // One that has ended meanwhile may have been another's session when the lock table was read.
    const still = asked.filter((one) => !one.hasEnded);
    return waitsAmong(locks, new Map(still.map((one) => [one.backend, one.branch])));
  }

  /**
   * Ends what the sessions of an aborted branch wait for. The signal may reach one that has its lock by
   * then, or that prepares: it is of no use to anybody any more, and is not given back to its pool.
   */
  async endWaitsOf(branch: BranchKey): Promise<void> {
    const waiting = this.of([branch]).filter((one) => !one.hasEnded && one.inFlight > 0);
    if (waiting.length === 0) return;
    for (const one of waiting) one.signalled = true;
    const pids = waiting.map(({ backend }) => backend);
    // What the database does not do now, the time-out for locks does.
    await this.pool.query(END_WAITS, [pids]).catch(() => undefined);
  }

  private of(among: readonly BranchKey[]): PostgresSession[] {
    const gids = new Set(among.map(formatGid));
    return [...this.held].filter((one) => gids.has(formatGid(one.branch)));
  }

  private slow(): PostgresSession[] {
    return [...this.held].filter((session) => {
      const isSlow =
        session.inFlight > 0 && this.sentBefore.get(session) === session.statementsSent;
      this.sentBefore.set(session, session.statementsSent);
      return isSlow;
    });
  }
}
