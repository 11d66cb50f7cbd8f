/**
 * The library's own pools, and how a connection is borrowed and given back. Guards the field's
 * measurement that eight shared sessions beat one per worker, and liveness: a pool full of working
 * branches must never keep a decision from being carried out, and no way out keeps a connection.
 */
import type { Clock } from '@concordat/engine';
import pg from 'pg';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { bounded, type Bounded } from './bounded.js';
import { watchConnection, watchPool } from './driver.js';
import { OWN_TYPES, answerInText } from './own-types.js';

export const SECOND_PHASE_MAX = 8;

/** The connection that a pool is asked for, if it comes in time. One that comes later goes back at once. */
export async function inTime(
  connecting: Promise<PoolClient>,
  clock: Clock,
  waitMs: number,
): Promise<Bounded<PoolClient>> {
  const answer = await bounded(clock, waitMs, connecting);
  if (answer.kind === 'timeout') {
    connecting.then(
      (client) => client.release(),
      () => undefined,
    );
  }
  return answer;
}

/**
 * Runs `use` on a borrowed connection and gives it back in any case: to be used again after
 * success, and after an error only where `staysClean` says that it left nothing behind.
 */
export async function lend<T>(
  client: PoolClient,
  use: (client: PoolClient) => Promise<T>,
  staysClean: (error: unknown) => boolean = () => false,
): Promise<T> {
  watchConnection(client);
  let discarded = true;
  try {
    const result = await use(client);
    discarded = false;
    return result;
  } catch (error) {
    discarded = !staysClean(error);
    throw error;
  } finally {
    client.release(discarded);
  }
}

export interface SecondPhasePoolOptions {
  readonly connectionsMax?: number;
  readonly timeoutMs: number;
  /** Called with idle connections that died. Without a listener, pg would end the process. */
  readonly onError: (error: Error) => void;
}

/** Limits that a service sets for its statements. The library's own have others. */
const LIMITS = [
  'query_timeout',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
] as const;

/**
 * A small pool that connects as `sessions` does: same driver, same database, same role, or it cannot
 * finish. What concerns the statements is its own: parsers, formats, limits.
 */
export function openSecondPhasePool(sessions: Pool, options: SecondPhasePoolOptions): Pool {
  const like = sessions.options as PoolConfig;
  const pool = new pg.Pool({
    ...like,
    ...Object.fromEntries(LIMITS.map((name) => [name, undefined])),
    // pg hides the password from enumeration, so spreading the options loses it.
    password: like.password,
    ssl: like.ssl,
    connectionString: like.connectionString && withoutLimits(like.connectionString),
    Client: (sessions as { Client?: PoolConfig['Client'] }).Client,
    max: options.connectionsMax ?? SECOND_PHASE_MAX,
    min: 0,
    connectionTimeoutMillis: options.timeoutMs,
    query_timeout: options.timeoutMs,
    types: OWN_TYPES,
    keepAlive: true,
  });
  pool.on('connect', answerInText);
  watchPool(pool, options.onError);
  return pool;
}

/** What an address says of limits beats what a pool's options say. */
function withoutLimits(address: string): string {
  const at = address.indexOf('?');
  if (at === -1) return address;
  const kept = address
    .slice(at + 1)
    .split('&')
    .filter((one) => !LIMITS.some((name) => one.startsWith(`${name}=`)));
  return [address.slice(0, at), ...(kept.length > 0 ? [kept.join('&')] : [])].join('?');
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
