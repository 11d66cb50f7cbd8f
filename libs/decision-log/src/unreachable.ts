/**
 * A decision database that is unavailable while a coordinator starts: never there, starting up, out of
 * connections, or lost between two statements. Guards "the start waits and explains alike, whichever
 * step it was": an unreachable database is distinguished from one that refuses, by one code, with one remedy.
 */
import { DecisionDatabaseUnusable } from './refusals.js';
import { sqlState } from './register/unknown.js';

const NODE_NETWORK =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** The driver's error, and TypeORM's for a connection whose loss the driver has reported. */
const LOST =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded|timeout expired|Query read timeout|Query runner already released)/;

/**
 * Whether the server is unreachable, was lost, or takes no connection now; false for everything it refused.
 */
export function isAway(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(08|57P0[1-5]|53300)/.test(state);
  if (error instanceof AggregateError) return error.errors.some(isAway);
  const { code, message } = (error ?? {}) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  return NODE_NETWORK.test(String(code)) || LOST.test(String(message));
}

/** Says where nothing was had, why, and what to do; never a password. */
export function unreachable(url: string, error: unknown): DecisionDatabaseUnusable {
  return new DecisionDatabaseUnusable(
    'unreachable',
    `cannot use the decision database at ${placeOf(url)}: ${reasonOf(error)}\nRemedy: ${remedyFor(error)}`,
    { cause: error },
  );
}

function remedyFor(error: unknown): string {
  switch (sqlState(error) ?? '') {
    case '28P01':
    case '28000':
      return 'correct user and password in its URL (DATABASE_URL); pg_hba.conf of the server decides who may connect.';
    case '3D000':
      return 'create the database, or correct its name in its URL (DATABASE_URL).';
    case '53300':
      return 'raise the connection limit that it names, or lower CONCORDAT_POOL_SIZE.';
    case '57P03':
      return 'wait until the server takes connections and start again; its log says what it does.';
    default:
      return 'start it, or correct its URL (DATABASE_URL).';
  }
}

/** Host, port and database; a socket's folder has no host. */
function placeOf(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    const host = hostname || (searchParams.get('host') ?? 'localhost');
    return `${host}:${port || (searchParams.get('port') ?? '5432')}${pathname}`;
  } catch {
    return 'its URL';
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  return error instanceof Error ? error.message || error.name : String(error);
}
