/**
 * Looks into databases that follow one another, each on the session of the one before: to open a session takes more
 * processor time, of both sides, than most looks. Guards "a look is no visitor": a session that is not used again at
 * once is closed, so that it is in no way of what a test does to its database.
 */
import pg from 'pg';

/** Longer than a test waits between two looks, and gone before anything waits for it. */
const IDLE_MS = 200;

export class Looks {
  private readonly pools = new Map<string, pg.Pool>();

  /** Runs a statement that only reads; on a new session where the kept one was lost. */
  async rows<Row extends pg.QueryResultRow>(
    connectionString: string,
    text: string,
    values: unknown[],
  ): Promise<Row[]> {
    const pool = this.at(connectionString);
    try {
      return (await pool.query<Row>(text, values)).rows;
    } catch (error) {
      if (!isLost(error)) throw error;
      return (await pool.query<Row>(text, values)).rows;
    }
  }

  /** Closes every session. */
  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
    this.pools.clear();
  }

  private at(connectionString: string): pg.Pool {
    const known = this.pools.get(connectionString);
    if (known) return known;
    const made = new pg.Pool({
      connectionString,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
    });
    made.on('error', () => undefined);
    made.on('connect', (client) => void client.on('error', () => undefined));
    this.pools.set(connectionString, made);
    return made;
  }
}

/** Whether the session had ended before it was used again: its server was stopped, or it was terminated. */
function isLost(error: unknown): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return (
    /^(57P01|57P02|ECONNRESET|EPIPE)$/.test(String(code)) ||
    /^Connection terminated/.test(String(message))
  );
}
