/**
 * What an error of the database means. Guards protocol §4.2 and the field's second rule: an error is
 * a certain no only where the server itself said so in an ordinary ERROR; anything lost on the way,
 * FATAL or PANIC leaves the question open.
 */
import { NoCode, voteNo, type VoteAgainst } from '@concordat/protocol';
import { OUTCOME_KEY } from './branch.sql.js';

/** An error report of the server, wherever it was wrapped. */
export interface SqlError {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
  readonly constraint?: string;
  readonly table?: string;
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
  readOnlyTransaction: '25006',
  protocolViolation: '08P01',
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
const DRIVER_LOST =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect|timeout expired|Query read timeout|Cannot use a pool after calling end)/;

/** The server's error report inside whatever an ORM made of it. */
export function sqlErrorOf(error: unknown): SqlError | undefined {
  return search(error, (one) => {
    const { code, severity, message, constraint, table } = one;
    // Node's own codes can have five letters too (EPIPE); only the server sends a severity.
    if (typeof code !== 'string' || typeof severity !== 'string') return undefined;
    if (!/^[0-9A-Z]{5}$/.test(code)) return undefined;
    return {
      code,
      severity,
      message: typeof message === 'string' ? message : code,
      ...(typeof constraint === 'string' ? { constraint } : {}),
      ...(typeof table === 'string' ? { table } : {}),
    };
  });
}

/** Whether an error says that the connection is gone or was never had. */
export function isConnectionLost(error: unknown): boolean {
  const sql = sqlErrorOf(error);
  if (sql) {
    return sql.severity !== 'ERROR' || sql.code.startsWith('08') || /^57P0[1-5]$/.test(sql.code);
  }
  const lost = search(error, ({ code, message }) =>
    (typeof code === 'string' && NODE_NETWORK_CODES.has(code)) ||
    (typeof message === 'string' && DRIVER_LOST.test(message))
      ? true
      : undefined,
  );
  return lost ?? false;
}

/** A failed statement as a vote, or undefined when the database does not know what it means. */
export function voteOfSqlError(error: unknown): VoteAgainst | undefined {
  const sql = sqlErrorOf(error);
  if (!sql || sql.severity !== 'ERROR')
    return sql?.code === SqlState.idleTooLong ? lease() : lost(error);
  switch (sql.code) {
    case SqlState.serialization:
      return voteNo(NoCode.serialization, 'The database could not serialise this work.', RETRY);
    case SqlState.deadlock:
      return voteNo(NoCode.deadlock, 'The database broke a deadlock with this work.', RETRY);
    case SqlState.lockNotAvailable:
      return voteNo(NoCode.lockTimeout, 'A lock was not to be had in the time left.', RETRY);
    case SqlState.cancelled:
      return voteNo(NoCode.deadline, 'A statement took longer than the time left.', RETRY);
    case SqlState.readOnlyTransaction:
      return voteNo(NoCode.resourceUnavailable, 'The database is read-only: a standby?', RETRY);
    case SqlState.failedTransaction:
      return swallowed();
    case SqlState.outOfSlots:
      return voteNo(NoCode.resourceUnavailable, 'The database ran out of shared memory.', RETRY);
    default:
  }
  if (sql.code === SqlState.uniqueViolation && sql.constraint === OUTCOME_KEY) return finished();
  if (sql.code.startsWith('23')) return constraint(sql);
  if (sql.code.startsWith('53') || isConnectionLost(error)) {
    return voteNo(NoCode.resourceUnavailable, `The database refused (${sql.code}).`, RETRY);
  }
  return undefined;
}

/** Why the outcome row could not be written. Nothing was prepared, so every one of these is a no. */
export function voteOfOutcomeRow(error: unknown): VoteAgainst {
  const sql = sqlErrorOf(error);
  // Another instance has this very branch prepared or at work: this prepare is a duplicate.
  if (sql?.code === SqlState.lockNotAvailable) return finished();
  return voteOfSqlError(error) ?? unexplained(sql);
}

/**
 * Why PREPARE TRANSACTION failed: a vote where the server certainly rolled back, undefined where it
 * may have prepared all the same (a failed fsync, a shutdown, a lost connection).
 */
export function voteOfPrepare(error: unknown): VoteAgainst | undefined {
  const sql = sqlErrorOf(error);
  if (!sql || sql.severity !== 'ERROR') return undefined;
  switch (sql.code) {
    case SqlState.outOfSlots:
      return voteNo(
        NoCode.slotsExhausted,
        'All prepared slots of the database server are taken; raise max_prepared_transactions, or lower the in-doubt limits of the services on it.',
        RETRY,
      );
    case SqlState.notSupported:
      return voteNo(NoCode.notPreparable, `Postgres cannot prepare this work: ${sql.message}.`);
    case SqlState.busy:
      return voteNo(
        NoCode.notPreparable,
        'Prepared transactions are switched off: set max_prepared_transactions and restart the database server.',
      );
    case SqlState.duplicateGid:
      return voteNo(
        NoCode.alreadyFinished,
        'A transaction with this gid is already prepared on this database server.',
      );
    default:
  }
  const certain = /^(22|23|25|40001|40P01|42|55P03|57014)/.test(sql.code);
  return certain ? (voteOfSqlError(error) ?? unexplained(sql)) : undefined;
}

const RETRY = { retryable: true } as const;

/** PREPARE or COMMIT answered ROLLBACK, or the transaction had failed before. */
export function swallowed(): VoteAgainst {
  return voteNo(
    NoCode.rolledBack,
    'A statement of this branch failed and the operation swallowed its error, so Postgres rolled the branch back. Let the error out, or run the statement in a savepoint.',
  );
}

function finished(): VoteAgainst {
  return voteNo(
    NoCode.alreadyFinished,
    'This branch has been finished or is being prepared elsewhere: a duplicate or late prepare.',
  );
}

function lease(): VoteAgainst {
  return voteNo(NoCode.leaseExpired, 'The database ended a branch that lay idle too long.', RETRY);
}

function constraint(sql: SqlError): VoteAgainst {
  const { constraint: name, table } = sql;
  const details = { ...(name ? { constraint: name } : {}), ...(table ? { table } : {}) };
  return voteNo(NoCode.constraint, `A constraint does not hold${name ? `: ${name}` : ''}.`, {
    details,
  });
}

function lost(error: unknown): VoteAgainst | undefined {
  if (!isConnectionLost(error)) return undefined;
  return voteNo(NoCode.resourceUnavailable, 'The connection to the database was lost.', RETRY);
}

/** The code only: the server's messages can quote the data they complain about. */
function unexplained(sql: SqlError | undefined): VoteAgainst {
  const what = sql ? `SQLSTATE ${sql.code}` : 'it does not answer';
  return voteNo(NoCode.resourceUnavailable, `The database refused the branch: ${what}.`, RETRY);
}

/** Looks at an error and what it wraps: TypeORM's driverError, standard causes. */
function search<T>(
  error: unknown,
  look: (one: Record<string, unknown>) => T | undefined,
): T | undefined {
  let one: unknown = error;
  for (let depth = 0; depth < UNWRAP_DEPTH_MAX; depth++) {
    if (typeof one !== 'object' || one === null) return undefined;
    const found = look(one as Record<string, unknown>);
    if (found !== undefined) return found;
    const wrapped = one as { driverError?: unknown; cause?: unknown };
    one = wrapped.driverError ?? wrapped.cause;
  }
  return undefined;
}
