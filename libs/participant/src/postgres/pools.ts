/**
 * The finisher pool: a few connections of its own for COMMIT PREPARED and ROLLBACK PREPARED. Guards
 * the field's measurement that eight shared finishers beat one per worker, and liveness: a pool full
 * of working branches must never keep a decision from being carried out.
 */
import pg from 'pg';
import type { Pool, PoolConfig } from 'pg';

export const FINISHERS_MAX = 8;

/**
 * Lets no lost connection end the process. Between the pool's handing out a new connection and the
 * borrower's listening to it lies a moment in which nobody listens; a session that is terminated then,
 * with its last words in the same packet as its first, would end us. Whoever uses it is told by the
 * next statement.
 */
export function outliveLostConnections(pool: Pool): void {
  pool.on('connect', (client) => client.on('error', () => undefined));
}

export interface FinisherPoolOptions {
  readonly connectionsMax?: number;
  readonly timeoutMs: number;
  /** Hears of idle connections that died. Without a listener, pg would end the process. */
  readonly onError: (error: Error) => void;
}

/** A small pool that connects as `sessions` does: same database, same role, or it cannot finish. */
export function finisherPool(sessions: Pool, options: FinisherPoolOptions): Pool {
  const like = sessions.options as PoolConfig;
  const pool = new pg.Pool({
    ...like,
    // pg hides the password from enumeration, so spreading the options loses it.
    password: like.password,
    ssl: like.ssl,
    max: options.connectionsMax ?? FINISHERS_MAX,
    connectionTimeoutMillis: options.timeoutMs,
    query_timeout: options.timeoutMs,
    keepAlive: true,
  });
  pool.on('error', options.onError);
  outliveLostConnections(pool);
  return pool;
}

export interface SessionPoolOptions {
  readonly url: string;
  readonly connectionsMax: number;
  readonly applicationName: string;
  readonly onError: (error: Error) => void;
}

/** A pool for branches, for services that bring none of their own. */
export function sessionPool(options: SessionPoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    application_name: options.applicationName,
    keepAlive: true,
  });
  pool.on('error', options.onError);
  return pool;
}
