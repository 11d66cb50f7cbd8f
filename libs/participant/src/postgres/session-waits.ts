/**
 * Sessions of branches that wait for locks, as the database sees them, and the end of such a wait. Guards
 * "a recalled branch has done nothing": a session is signalled only while the server sees it wait for a
 * lock, and never while it prepares; a signal that comes too late changes nothing, and one whose answer is
 * not known costs its connection.
 *
 * A statement is worth a look once it was under way at two looks in a row: while none is, nothing is asked.
 */
import type { VoteAgainst } from '@concordat/protocol';
import type { Pool, QueryResult } from 'pg';
import type { PostgresSession } from './branch-session.js';
import { ask } from './own-types.js';
import { lend } from './pools.js';
import { LOOK_AT_WAITS, WAITS_AT, endWaitsSql } from './session-waits.sql.js';

interface SeenWait {
  readonly pid: number;
  readonly vx: string;
  readonly behind: string;
}

export class SessionWaits {
  /** The last statement of each session that was under way at the last look. */
  private readonly underWay = new WeakMap<PostgresSession, number>();

  constructor(private readonly pool: Pool) {}

  /** Which of the sessions wait for a lock, and which transaction their queue waits for in the end. */
  async of(sessions: readonly PostgresSession[]): Promise<Map<PostgresSession, string>> {
    const slow = sessions.filter((one) => this.wasUnderWay(one));
    const found = new Map<PostgresSession, string>();
    if (slow.length === 0) return found;
    const seen = await this.ask<SeenWait>(LOOK_AT_WAITS);
    const holders = new Map(seen.map(({ vx, behind }) => [vx, behind]));
    const waits = new Map(seen.map((one) => [one.pid, one]));
    for (const session of slow) {
      const wait = waits.get(session.backend);
      if (wait && session.inFlight > 0) found.set(session, rootOf(wait.behind, holders));
    }
    return found;
  }

  /** Ends the waits of those that still wait in their operations. One that closes has its vote to give. */
  async end(sessions: readonly PostgresSession[], because: VoteAgainst): Promise<void> {
    const asked = sessions.filter((one) => one.isOpen && one.inFlight > 0 && !one.signalled);
    if (asked.length === 0) return;
    const told = this.sendTo(asked);
    // Noted before the signal goes: its answer may come before ours. If ours never comes, it may have gone.
    for (const session of asked) session.recall(because, told);
    await told;
  }

  private async sendTo(asked: readonly PostgresSession[]): Promise<void> {
    const ended = await this.ask<{ pid: number }>(endWaitsSql(asked.map((one) => one.backend)));
    const pids = new Set(ended.map(({ pid }) => pid));
    for (const session of asked) if (!pids.has(session.backend)) session.signalMissed();
  }

  private wasUnderWay(session: PostgresSession): boolean {
    const before = this.underWay.get(session);
    if (session.inFlight === 0) {
      this.underWay.delete(session);
      return false;
    }
    this.underWay.set(session, session.statementsSent);
    return before === session.statementsSent;
  }

  private async ask<Row extends object>(text: string): Promise<Row[]> {
    const client = await this.pool.connect();
    const answers = await lend(client, (one) => ask(one, { text }));
    const results = answers as unknown as QueryResult<Row & Record<string, unknown>>[];
    return results[WAITS_AT]?.rows ?? [];
  }
}

/** Sessions that wait for one another in a circle are represented by the first one that is met again. */
function rootOf(behind: string, holders: ReadonlyMap<string, string>): string {
  const met = new Set<string>();
  let root = behind;
  for (let next = holders.get(root); next !== undefined; next = holders.get(root)) {
    if (met.has(root)) return root;
    met.add(root);
    root = next;
  }
  return root;
}
