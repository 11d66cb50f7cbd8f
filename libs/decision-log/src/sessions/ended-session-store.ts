/**
 * Which sessions of the admin view were ended before their time. Guards "signing out holds at every
 * coordinator, and after a restart": the answer is sent only once it is written.
 */
import type { Clock } from '@concordat/engine';
import type pg from 'pg';
import { ask } from '../register/question.js';
import { END_SESSION, ENDED_SESSIONS } from './ended-sessions.sql.js';

export class EndedSessionStore {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
  ) {}

  /** Keeps it until `endsAtMs`, Unix milliseconds. Rejects with `RegisterUnknown`. */
  async end(digest: string, endsAtMs: number): Promise<void> {
    await ask(this.pool, 'end-session', END_SESSION, [digest, endsAtMs, this.clock.wallNow()]);
  }

  /** Digests of all that are kept. Rejects with `RegisterUnknown`. */
  async all(): Promise<readonly string[]> {
    const rows = await ask<{ digest: string }>(this.pool, 'ended-sessions', ENDED_SESSIONS);
    return rows.map((row) => row.digest);
  }
}
