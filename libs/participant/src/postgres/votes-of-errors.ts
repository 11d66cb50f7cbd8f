/**
 * What an error of the database means as a vote: one considered answer for every SQLSTATE, at each
 * place where one can come up. Guards protocol §4.2 and three promises to the reader of a vote: the
 * code says whether a retry can help, the reason is true, and nothing of the server's own words, which
 * may quote data, leaves the service. Errors that nothing here knows are the operation's own.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { OUTCOME_KEY } from './branch.sql.js';
import { describeWait, waitDetails, waitInContext, type LockWait } from './lock-wait.js';
import {
  SqlState,
  isMisconfiguredConnection,
  networkCodeOf,
  saidByDriver,
  searchError,
  sqlErrorOf,
  type SqlError,
} from './sqlstate.js';

/** What is known of a failed statement besides its error. */
export interface Circumstances {
  /** The lock it waited for, if it did. */
  readonly wait?: LockWait;
  /** It was cancelled long before the branch's time was over, so not by a time-out of ours. */
  readonly early: boolean;
}

/** One sentence for a client; the SQLSTATE takes the place of `$`. */
type Meaning = readonly [code: NoCode, reason: string];

const circumstances = new WeakMap<object, Circumstances>();

/** Remembers what is known of a statement's error, for code that asks what it means. */
export function noteCircumstances(error: unknown, known: Circumstances): void {
  if (typeof error === 'object' && error !== null) circumstances.set(error, known);
}

const BUG: Meaning = [
  NoCode.handlerFailed,
  'The operation failed: the database refused a statement of it (SQLSTATE $). The log of the service says more',
];
const RAISED: Meaning = [NoCode.raised, 'Code in the database raised an exception (SQLSTATE $)'];
const DATA: Meaning = [NoCode.dataException, 'The database refused a value (SQLSTATE $)'];
const CONSTRAINT: Meaning = [NoCode.constraint, 'A constraint does not hold'];
const SERIALIZATION: Meaning = [
  NoCode.serialization,
  'The database could not serialise this work (SQLSTATE $)',
];
const ENDED: Meaning = [
  NoCode.resourceUnavailable,
  'The database server shuts down, or an administrator ended the connection (SQLSTATE $)',
];
const FAULT: Meaning = [
  NoCode.resourceFault,
  'The database server reports a fault of its own (SQLSTATE $); the log of the service says more',
];
const SHORT: Meaning = [
  NoCode.resourceUnavailable,
  'The database server ran out of a resource (SQLSTATE $)',
];
const LEASE: Meaning = [
  NoCode.leaseExpired,
  'The database ended a branch that was idle for too long (SQLSTATE $)',
];
const SERVER_TIMEOUT: Meaning = [
  NoCode.deadline,
  'The transaction_timeout of the database server ended the branch (SQLSTATE $)',
];
const NO_DATABASE: Meaning = [
  NoCode.resourceFault,
  'The database of this service does not exist any more (SQLSTATE $)',
];

/**
 * What an ordinary ERROR of a statement means: by code, else by class. A class that is in neither is
 * none of Postgres': an application raises its own with RAISE … USING ERRCODE.
 */
const STATEMENT: Readonly<Record<string, Meaning>> = {
  '00': RAISED,
  '01': RAISED,
  '02': RAISED,
  '03': BUG,
  // An ERROR came over a connection that lives: another one failed, e.g. to a foreign server.
  '08': [NoCode.resourceUnavailable, 'A connection failed under a statement (SQLSTATE $)'],
  '08P01': BUG,
  '09': RAISED,
  '0A': BUG,
  '0B': BUG,
  '0F': BUG,
  '0L': BUG,
  '0P': BUG,
  '0Z': BUG,
  '10': DATA,
  '20': BUG,
  '21': BUG,
  '22': DATA,
  '23': CONSTRAINT,
  '24': BUG,
  '25': BUG,
  '25006': [
    NoCode.resourceUnavailable,
    'The database takes no writes (SQLSTATE $): a standby, or a role or transaction that may only read',
  ],
  '25P02': [
    NoCode.rolledBack,
    'A statement of this branch failed and the operation swallowed its error, so Postgres rolled the branch back. Let the error out, or run the statement in a savepoint',
  ],
  '25P03': LEASE,
  '25P04': SERVER_TIMEOUT,
  '26': BUG,
  '27': BUG,
  '28': BUG,
  '2B': BUG,
  '2D': BUG,
  '2F': BUG,
  '34': BUG,
  '38': RAISED,
  '39': BUG,
  '3B': BUG,
  '3D': BUG,
  '3F': BUG,
  '40': SERIALIZATION,
  '40002': CONSTRAINT,
  '40P01': [NoCode.deadlock, 'The database broke a deadlock with this work (SQLSTATE $)'],
  '42': BUG,
  '44': CONSTRAINT,
  '53': SHORT,
  '53400': [
    NoCode.resourceFault,
    'The work exceeds a limit that the database server is configured with (SQLSTATE $)',
  ],
  '54': BUG,
  '55': BUG,
  '57': ENDED,
  '57P04': NO_DATABASE,
  '58': FAULT,
  '72': SERIALIZATION,
  F0: FAULT,
  HV: BUG,
  HV001: SHORT,
  HV00N: [NoCode.resourceUnavailable, 'A foreign server could not be reached (SQLSTATE $)'],
  P0: RAISED,
  XX: FAULT,
};

/** The same for what a server or a pooler says instead of a connection, mostly as FATAL. */
const CONNECT: Readonly<Record<string, Meaning>> = {
  '0A': [
    NoCode.resourceFault,
    'The database server does not support this connection (SQLSTATE $): is it Postgres 15 or newer?',
  ],
  '22': [
    NoCode.resourceFault,
    'The database server refuses a setting of the connection (SQLSTATE $): correct the database URL or the options of the pool',
  ],
  '28': [
    NoCode.resourceFault,
    'The database refuses the role or the password of this service (SQLSTATE $): correct its database URL',
  ],
  '3D': [
    NoCode.resourceFault,
    'The database of this service does not exist (SQLSTATE $): correct its database URL',
  ],
  '42': [
    NoCode.resourceFault,
    'The database server refuses the connection for what it asks (SQLSTATE $): correct the database URL, or the rights of the role',
  ],
  '53': SHORT,
  '53300': [
    NoCode.resourceUnavailable,
    'The database server has no connection left for this service (SQLSTATE $): lower the sizes of pools, or raise max_connections or the CONNECTION LIMIT of the role',
  ],
  '55': [NoCode.resourceFault, 'The database of this service accepts no connections (SQLSTATE $)'],
  '57P03': [
    NoCode.resourceUnavailable,
    'The database server accepts no connections at this moment (SQLSTATE $): it starts or recovers',
  ],
  '57P04': NO_DATABASE,
  '58': FAULT,
  F0: FAULT,
  XX: FAULT,
};

/** The same for what ended a connection under its branch: FATAL and PANIC. */
const LOST: Readonly<Record<string, Meaning>> = {
  '25P03': LEASE,
  '25P04': SERVER_TIMEOUT,
  '57P01': ENDED,
  '57P04': NO_DATABASE,
};

/**
 * The same for statements of the library, at the outcome row and before it: what would be the
 * operation's bug elsewhere is here a database that does not fit this library.
 */
const OWN_STATEMENT: Readonly<Record<string, Meaning>> = { '26': pooled(), '42P05': pooled() };
const OUTCOME_ROW: Readonly<Record<string, Meaning>> = {
  ...OWN_STATEMENT,
  '42501': [
    NoCode.resourceFault,
    'The role that writes may not use the outcome table (SQLSTATE $): GRANT SELECT, INSERT, DELETE on it and SELECT, INSERT, UPDATE on concordat_closed to the role of this service, and change no role inside an operation',
  ],
  '42P01': migration(),
  '42703': migration(),
  '3F': migration(),
};

function pooled(): Meaning {
  return [
    NoCode.resourceFault,
    'A pooler mixes up prepared statements (SQLSTATE $): set namedStatements to false in this service, or run PgBouncer 1.21 or newer with max_prepared_statements',
  ];
}

function migration(): Meaning {
  return [
    NoCode.resourceFault,
    'The outcome table is missing or of another version (SQLSTATE $): restart the service, so that its migration makes it',
  ];
}

/**
 * Why no connection, or no transaction on it, was to be had. Nothing was begun, so every one of these
 * is a no.
 */
export function voteOfConnect(error: unknown): VoteAgainst {
  const sql = sqlErrorOf(error);
  if (sql) {
    const fallback = ofNoConnection(`SQLSTATE ${sql.code}`);
    return votes(CONNECT, sql) ?? (sql.code.startsWith('57') ? cast(ENDED, sql) : fallback);
  }
  if (isMisconfiguredConnection(error)) {
    return protocolNo(
      NoCode.resourceFault,
      'No connection to the database could be made: its TLS or its password is not as this service is configured.',
    );
  }
  const said = saidByDriver(error);
  if (said) return protocolNo(NoCode.resourceUnavailable, said);
  return ofNoConnection(networkCodeOf(error) ?? 'the log of the service says more');
}

/** A failed statement as a vote, or undefined when it is none of the database's. */
export function voteOfSqlError(error: unknown): VoteAgainst | undefined {
  const known = searchError(error, (one) => circumstances.get(one));
  const sql = sqlErrorOf(error);
  if (!sql) {
    const said = saidByDriver(error);
    if (said) return protocolNo(NoCode.resourceUnavailable, said);
    // An operation calls other services too: of network errors only those of the branch's own are noted.
    return known && networkCodeOf(error) ? lost() : undefined;
  }
  if (sql.severity !== 'ERROR') return votes(LOST, sql) ?? lost(sql);
  switch (sql.code) {
    case SqlState.lockNotAvailable:
      return lockTimeout(sql, known?.wait);
    case SqlState.cancelled:
      if (known?.wait) return lockTimeout(sql, known.wait);
      return cancelled(sql, known?.early ?? false);
    case SqlState.notSupported:
      // DDL came between: the statement prepared on this connection does not fit any more.
      if (sql.routine === 'RevalidateCachedQuery') {
        const reason = `A table was changed under a prepared statement (SQLSTATE ${sql.code}).`;
        return protocolNo(NoCode.resourceUnavailable, reason, { sqlstate: sql.code });
      }
      break;
    default:
  }
  return votes(STATEMENT, sql) ?? cast(RAISED, sql);
}

/** Why the outcome row could not be written. Nothing was prepared, so every one of these is a no. */
export function voteOfOutcomeRow(error: unknown): VoteAgainst {
  const sql = sqlErrorOf(error);
  // Another instance has this very branch prepared or at work: this prepare is a duplicate.
  const waited = searchError(error, (one) => circumstances.get(one))?.wait !== undefined;
  if (sql?.code === SqlState.lockNotAvailable || waited) return finished();
  if (sql?.code === SqlState.uniqueViolation && sql.constraint === OUTCOME_KEY) return finished();
  return ofOurs(error, OUTCOME_ROW, OUTCOME_REFUSED);
}

/**
 * Why another statement of the library's failed between the last operation and PREPARE. Nothing was
 * prepared, so every one of these is a no.
 */
export function voteOfOwnStatement(error: unknown): VoteAgainst {
  return ofOurs(error, OWN_STATEMENT, OWN_REFUSED);
}

/**
 * Why deferred work failed: the operation's own, but asked for by a statement of the library. Nothing
 * was prepared, so every one of these is a no.
 */
export function voteOfDeferredWork(error: unknown): VoteAgainst {
  const sql = sqlErrorOf(error);
  const own = sql?.severity === 'ERROR' ? votes(OWN_STATEMENT, sql) : undefined;
  return own ?? voteOfSqlError(error) ?? lost();
}

function ofOurs(
  error: unknown,
  table: Readonly<Record<string, Meaning>>,
  otherwise: Meaning,
): VoteAgainst {
  const sql = sqlErrorOf(error);
  const own = sql?.severity === 'ERROR' ? votes(table, sql) : undefined;
  if (own) return own;
  const vote = voteOfSqlError(error) ?? lost();
  return sql && OPERATIONS_OWN.has(vote.code) ? cast(otherwise, sql) : vote;
}

/** Codes that blame an operation, which no statement of the library is. */
const OPERATIONS_OWN: ReadonlySet<string> = new Set([
  NoCode.handlerFailed,
  NoCode.dataException,
  NoCode.constraint,
  NoCode.raised,
]);
const OUTCOME_REFUSED: Meaning = [
  NoCode.resourceFault,
  'The database refused the outcome row (SQLSTATE $): the outcome table is not as the migration made it; the log of the service says more',
];
const OWN_REFUSED: Meaning = [
  NoCode.resourceFault,
  'The database refused what the library asks before PREPARE (SQLSTATE $); the log of the service says more',
];

/** Why PREPARE TRANSACTION failed, and whether the server certainly rolled back. */
export interface RefusedPrepare {
  readonly certain: boolean;
  readonly vote: VoteAgainst;
}

/**
 * Why PREPARE TRANSACTION failed. Certainly rolled back are only ordinary ERRORs of what the server
 * does before it writes the prepared transaction down: taking the slot and the gid, and what deferred
 * triggers do. Everything else may have prepared all the same (a failed fsync, a shutdown, a lost
 * connection), and its vote is only what may be said meanwhile.
 */
export function voteOfPrepare(error: unknown): RefusedPrepare {
  const sql = sqlErrorOf(error);
  if (sql?.severity !== 'ERROR') return { certain: false, vote: voteOfSqlError(error) ?? lost() };
  const own = ofPreparing(sql);
  if (own) return { certain: true, vote: own };
  const certain = /^(0A|22|23|25|40001|40P01|42|55000|55P03|57014)/.test(sql.code);
  return { certain, vote: voteOfSqlError(error) ?? cast(FAULT, sql) };
}

/** What PREPARE TRANSACTION itself refuses; a deferred trigger can raise the same codes for its own reasons. */
function ofPreparing(sql: SqlError): VoteAgainst | undefined {
  const { code, routine } = sql;
  const details = { sqlstate: code };
  if (code === SqlState.notSupported) {
    if (routine !== undefined && !REFUSES_TO_PREPARE.test(routine)) return undefined;
    const what = routine === undefined ? UNPREPARABLE : sql.message;
    return protocolNo(NoCode.notPreparable, `Postgres cannot prepare this work: ${what}.`, details);
  }
  if (routine !== undefined && routine !== 'MarkAsPreparing') return undefined;
  switch (code) {
    case SqlState.outOfSlots:
      return protocolNo(
        NoCode.slotsExhausted,
        'All prepared slots of the database server are taken; raise max_prepared_transactions, or lower the in-doubt limits of the services on it.',
        details,
      );
    case SqlState.busy:
      return protocolNo(
        NoCode.notPreparable,
        'Prepared transactions are switched off: set max_prepared_transactions and restart the database server.',
        details,
      );
    case SqlState.duplicateGid:
      return protocolNo(
        NoCode.alreadyFinished,
        'A transaction with this gid is already prepared on this database server.',
        details,
      );
    default:
      return undefined;
  }
}

/** Functions of the server, and of postgres_fdw, whose refusals name a feature and quote no data. */
const REFUSES_TO_PREPARE =
  /^(PrepareTransaction|AtPrepare_\w+|CheckForSessionAndXactLocks|PreCommit_Portals|pgfdw_xact_callback)$/;
const UNPREPARABLE =
  'it used a temporary table, NOTIFY, LISTEN, a cursor WITH HOLD, an exported snapshot or something like it';

/** PREPARE or COMMIT answered ROLLBACK, or the transaction had failed before. */
export function swallowed(): VoteAgainst {
  const [code, reason] = STATEMENT[SqlState.failedTransaction] as Meaning;
  return protocolNo(code, `${reason}.`);
}

/** The connection was lost under the branch, by an error of the server's if one is known. */
export function lost(sql?: SqlError): VoteAgainst {
  const how = sql ? ` (SQLSTATE ${sql.code})` : '';
  const reason = `The connection to the database was lost${how}.`;
  return protocolNo(NoCode.resourceUnavailable, reason, sql && { sqlstate: sql.code });
}

function ofNoConnection(why: string): VoteAgainst {
  return protocolNo(NoCode.resourceUnavailable, `The database cannot be reached: ${why}.`);
}

function finished(): VoteAgainst {
  return protocolNo(
    NoCode.alreadyFinished,
    'This branch has been finished or is being prepared elsewhere: a duplicate or late prepare.',
  );
}

function lockTimeout(sql: SqlError, seen: LockWait | undefined): VoteAgainst {
  const wait = { ...waitInContext(sql.where), ...seen };
  return protocolNo(NoCode.lockTimeout, `A lock was not granted in time${describeWait(wait)}.`, {
    sqlstate: sql.code,
    ...waitDetails(wait),
  });
}

function cancelled({ code }: SqlError, early: boolean): VoteAgainst {
  const details = { sqlstate: code };
  if (!early) {
    const reason = `A statement took longer than the time left (SQLSTATE ${code}).`;
    return protocolNo(NoCode.deadline, reason, details);
  }
  const reason = `A statement was cancelled (SQLSTATE ${code}): by an administrator, or by a time-out of its own.`;
  return protocolNo(NoCode.resourceUnavailable, reason, details);
}

function votes(table: Readonly<Record<string, Meaning>>, sql: SqlError): VoteAgainst | undefined {
  const meaning = table[sql.code] ?? table[sql.code.slice(0, 2)];
  return meaning && cast(meaning, sql);
}

/** A meaning as a vote. Names of the schema may be passed on, values may not. */
function cast(
  [code, reason]: Meaning,
  { code: sqlstate, constraint, table }: SqlError,
): VoteAgainst {
  const named = code === NoCode.constraint;
  const which = named && constraint ? `: ${constraint}` : '';
  return protocolNo(code, `${reason.replace('$', sqlstate)}${which}.`, {
    sqlstate,
    ...(named && constraint ? { constraint } : {}),
    ...(named && table ? { table } : {}),
  });
}
