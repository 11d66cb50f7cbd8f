/**
 * Errors of the database as they arrive: the server's report inside the error of an ORM, distinguished from
 * one of the driver or the network. Guards protocol §4.2: only an ordinary ERROR is the server's own word on
 * a statement; what was lost on the way, FATAL or PANIC leaves the question open. What an error means to a
 * branch is in votes-of-errors.ts.
 */
import { severityOf } from './severity.js';

/** An error report of the server, however it was wrapped. */
export interface SqlError {
  readonly code: string;
  readonly severity: string;
  /** May quote data: for the log of the service, never for a client. */
  readonly message: string;
  readonly constraint?: string;
  readonly table?: string;
  /** The function of the server that raised it. Not translated, but left out by some poolers. */
  readonly routine?: string;
  /** What the server was doing, outermost last. Translated, and may quote statements. */
  readonly where?: string;
}

/** SQLSTATEs by the names under which the rest of this folder speaks of them. */
export const SqlState = {
  busy: '55000',
  lockNotAvailable: '55P03',
  undefinedObject: '42704',
  undefinedTable: '42P01',
  undefinedSchema: '3F000',
  duplicateGid: '42710',
  noRight: '42501',
  notSupported: '0A000',
  uniqueViolation: '23505',
  serialization: '40001',
  deadlock: '40P01',
  outOfSlots: '53200',
  cancelled: '57014',
  idleTooLong: '25P03',
  failedTransaction: '25P02',
  noBoolean: '22P02',
  readOnlyTransaction: '25006',
  protocolViolation: '08P01',
  cannotConnectNow: '57P03',
  tooManyConnections: '53300',
  wrongPassword: '28P01',
  noLogin: '28000',
  noDatabase: '3D000',
} as const;

const UNWRAP_DEPTH_MAX = 5;
const NODE_NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** What the drivers pg and pg-pool say without a code, and what it means in our words. */
const DRIVER_SAYS: readonly (readonly [words: RegExp, meaning: string])[] = [
  [
    /^timeout exceeded when trying to connect/,
    'No connection of the pool was free, or could be made, within its connectionTimeoutMillis.',
  ],
  [/^Query read timeout/, 'A statement was not answered within the query_timeout of the pool.'],
  [/^Cannot use a pool after calling end/, 'The pool of this service has been ended.'],
  [
    /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired)/,
    'The connection to the database was lost.',
  ],
];
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|CERT_|UNABLE_TO_|HOSTNAME_MISMATCH)/;
const DRIVER_MISCONFIGURED = /^(SASL: |The server does not support SSL connections)/;

/** The server's error report inside the error that an ORM made of it. */
export function sqlErrorOf(error: unknown): SqlError | undefined {
  return searchError(error, (one) => {
    const { code, severity, message } = one;
    // Node's own codes can have five letters too (EPIPE); only the server sends a severity.
    if (typeof code !== 'string' || typeof severity !== 'string') return undefined;
    if (!/^[0-9A-Z]{5}$/.test(code)) return undefined;
    return {
      code,
      severity: severityOf(severity),
      message: typeof message === 'string' ? message : code,
      ...textsOf(one, ['constraint', 'table', 'routine', 'where']),
    };
  });
}

/** Whether an error of a statement says that the connection is gone or was never had. */
export function isConnectionLost(error: unknown): boolean {
  const sql = sqlErrorOf(error);
  if (sql) {
    return sql.severity !== 'ERROR' || sql.code.startsWith('08') || /^57P0[1-5]$/.test(sql.code);
  }
  return networkCodeOf(error) !== undefined || saidByDriver(error) !== undefined;
}

/** Node's code for a connection that failed. Does not say whose connection it was. */
export function networkCodeOf(error: unknown): string | undefined {
  return searchError(error, ({ code }) =>
    typeof code === 'string' && NODE_NETWORK_CODES.has(code) ? code : undefined,
  );
}

/** Where the driver says, in words of its own, that a connection is gone or was never had: how. */
export function saidByDriver(error: unknown): string | undefined {
  return searchError(error, ({ message }) =>
    typeof message === 'string'
      ? DRIVER_SAYS.find(([words]) => words.test(message))?.[1]
      : undefined,
  );
}

/** Whether a connection was never made because the service is configured wrongly: TLS, password. */
export function isMisconfiguredConnection(error: unknown): boolean {
  const wrong = searchError(error, ({ code, message }) =>
    (typeof code === 'string' && TLS_CODE.test(code)) ||
    (typeof message === 'string' && DRIVER_MISCONFIGURED.test(message))
      ? true
      : undefined,
  );
  return wrong ?? false;
}

/** Looks at an error and what it wraps: TypeORM's driverError, Sequelize's original, standard causes. Never throws. */
export function searchError<T>(
  error: unknown,
  look: (one: Record<string, unknown>) => T | undefined,
): T | undefined {
  try {
    let one: unknown = error;
    for (let depth = 0; depth < UNWRAP_DEPTH_MAX; depth++) {
      if (typeof one !== 'object' || one === null) return undefined;
      const found = look(one as Record<string, unknown>);
      if (found !== undefined) return found;
      const wrapped = one as { driverError?: unknown; original?: unknown; cause?: unknown };
      one = wrapped.driverError ?? wrapped.original ?? wrapped.cause;
    }
  } catch {
    // Anything can be thrown, also an object whose properties throw: no error report of a server.
  }
  return undefined;
}

function textsOf<Name extends string>(
  one: Record<string, unknown>,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  return Object.fromEntries(
    names.flatMap((name) => (typeof one[name] === 'string' ? [[name, one[name]]] : [])),
  ) as Partial<Record<Name, string>>;
}
