/**
 * The statements of one branch's life: begin, outcome row, prepare, finish, tombstone. Guards
 * protocol §4.2 and §4.4. A gid cannot be a bind parameter, so the only text that is ever spliced
 * in is checked here, where the SQL is built: gids against the protocol's own grammar, identifiers by
 * quoting, time-outs as integers.
 */
import {
  GID_BYTES_MAX,
  decidedAt,
  parseGid,
  type Gid,
  type ParticipantName,
} from '@concordat/protocol';
import type { FlightStatement, FlightStep } from './flight.js';

export const ISOLATION_LEVELS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

export interface BranchTimeouts {
  readonly lockMs: number;
  readonly statementMs: number;
  readonly idleMs: number;
}

/** The longest time-out Postgres can hold: milliseconds in a signed 32-bit integer. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/**
 * Settings to read at BEGIN: all that the session was given, with those of the service's own making by
 * name, or only those that a pooler keeps.
 */
export type SettingsToRead =
  | { readonly pooled: true }
  | { readonly pooled: false; readonly names: readonly string[] };

/** The longest application name that Postgres keeps. */
const NAME_BYTES_MAX = 63;

/** A setting of the transaction that only lasts as long as it does. */
const MARK = 'concordat.branch';

/** Primary key of the outcome row: its violation means that the branch has been finished already. */
export const OUTCOME_KEY = 'concordat_branch_pkey';

/**
 * BEGIN and its time-outs in one flight. The time-outs are the transaction's only: set for the session,
 * they would survive PREPARE and leak into the pool. The process id is asked for inside the block because
 * behind a pooler the one of the connection is not the backend's. The transaction is marked with its gid
 * for its own length, which distinguishes it from another one, begun after a COMMIT that slipped past the
 * gate.
 *
 * What the service gave this session is read along where it is not known, before the time-outs: it is put
 * back at the end.
 */
export function beginSteps(
  gid: Gid,
  timeouts: BranchTimeouts,
  more: { readonly isolation?: IsolationLevel; readonly read?: SettingsToRead } = {},
): FlightStep[] {
  return [
    { text: more.isolation ? `${BEGIN} ISOLATION LEVEL ${more.isolation}` : BEGIN },
    ...(more.read?.pooled === false ? [sessionSettings(more.read.names)] : []),
    {
      ...(more.read ? OPEN_AND_READ_POOLED : OPEN),
      values: [
        `${milliseconds(timeouts.lockMs)}`,
        `${milliseconds(timeouts.statementMs)}`,
        `${milliseconds(timeouts.idleMs)}`,
        gid,
        gidInName(gid),
      ],
    },
  ];
}

function sessionSettings(names: readonly string[]): FlightStep {
  const listed =
    `SELECT name, current_setting(name, true) AS value FROM pg_settings ` +
    `WHERE source = 'session' AND setting IS DISTINCT FROM reset_val`;
  const literals = names.map(settingName).join(', ');
  const own =
    ` UNION ALL SELECT name, current_setting(name, true) AS value ` +
    `FROM unnest(ARRAY[${literals}]) AS own (name) WHERE current_setting(name, true) <> ''`;
  const text = names.length === 0 ? listed : `${listed}${own}`;
  return { text, columns: ['name', 'value'], varies: true };
}

/** A setting's name as a literal, checked where it becomes SQL. */
function settingName(name: string): string {
  if (!/^[a-z_][\w$]*(\.[a-z_][\w$]*)+$/i.test(name)) {
    throw new RangeError(`not the name of a setting, refused before it becomes SQL: ${name}`);
  }
  return `'${name}'`;
}

/** What PgBouncer keeps for each of its clients: the parameters that a server reports. */
const POOLED_SETTINGS =
  `json_build_object('client_encoding', current_setting('client_encoding'), ` +
  `'application_name', current_setting('application_name'), ` +
  `'DateStyle', current_setting('DateStyle'), 'TimeZone', current_setting('TimeZone'), ` +
  `'IntervalStyle', current_setting('IntervalStyle'), 'standard_conforming_strings', ` +
  `current_setting('standard_conforming_strings'))::text`;

/**
 * Other sessions see of a session little more than its application name. So it ends with the gid while
 * the branch is at work: a session that waits for one of its locks learns which transaction that is, on any
 * instance. The transaction's only, like the time-outs. It comes last: what a pooler keeps is read before.
 */
const NAMED_BY_BRANCH =
  `pg_catalog.set_config('application_name', pg_catalog.ltrim(pg_catalog.left(` +
  `pg_catalog.current_setting('application_name'), ${NAME_BYTES_MAX - 1} - pg_catalog.length($5::text)) ` +
  `|| ' ' || $5::text), true)`;

/**
 * $1 lock, $2 statement, $3 idle time-out in milliseconds, $4 gid, $5 as {@link gidInName} has it.
 * Answers one row of text. What is only set is a condition, which is always true: a column more is written, sent and read.
 */
const OPEN = opens({ readsPooled: false });
const OPEN_AND_READ_POOLED = opens({ readsPooled: true });

function opens({ readsPooled }: { readonly readsPooled: boolean }) {
  const asked: Record<string, string> = {
    pid: `pg_catalog.pg_backend_pid()::pg_catalog.text`,
    role: `pg_catalog.current_setting('role')`,
    login: `session_user::pg_catalog.text`,
    // In this order: the name changes what is read before it.
    ...(readsPooled ? { pooled: POOLED_SETTINGS, named: NAMED_BY_BRANCH } : {}),
  };
  const set = [
    `pg_catalog.set_config('lock_timeout', $1, true)`,
    `pg_catalog.set_config('statement_timeout', $2, true)`,
    `pg_catalog.set_config('idle_in_transaction_session_timeout', $3, true)`,
    `pg_catalog.set_config('${MARK}', $4, true)`,
    ...(readsPooled ? [] : [NAMED_BY_BRANCH]),
  ];
  const listed = Object.entries(asked).map(([column, what]) => `${what} AS ${column}`);
  const always = set.map((one) => `${one} IS NOT NULL`);
  return {
    text: `SELECT ${listed.join(', ')} WHERE ${always.join(' AND ')}`,
    columns: Object.keys(asked),
  };
}

/** A gid as it fits into a name: of a transaction that is decided here, without the name of here. */
function gidInName(gid: Gid): string {
  const parts = parseGid(gid);
  const place = parts && decidedAt(parts.transaction);
  return place === undefined ? gid : gid.replace(`-${place}:`, '-:');
}

/**
 * What {@link NAMED_BY_BRANCH} left of a session's own name, and the gid, if it is a branch's. `participant`:
 * whose sessions are looked at, for what is decided there.
 */
export function readNameOfSession(
  name: string,
  participant?: ParticipantName,
): {
  readonly application?: string;
  readonly gid?: string;
} {
  const [, own = name, named] = /^(.*?) ?(cc:[^ ]+)$/s.exec(name) ?? [];
  const gid = participant === undefined ? named : named?.replace('-:', `-${participant}:`);
  return { ...(own === '' ? {} : { application: own }), ...(gid ? { gid } : {}) };
}

/**
 * PREPARE TRANSACTION, never in one text with other statements: `begin; …; prepare; …` as one string can
 * fail and leave the gid prepared. In a flight it comes last, and an error before it skips it.
 */
export const prepareSql = (gid: Gid): string => `PREPARE TRANSACTION ${literalGid(gid)}`;
/** How its command tag begins when the transaction is prepared; in a failed one it succeeds with another. */
export const PREPARED = 'PREPARE';
/** PREPARE TRANSACTION as the last step of a flight: what was bound before it has to succeed first. */
export const prepareStep = (gid: Gid): FlightStep => ({
  text: prepareSql(gid),
  varies: true,
  tag: true,
});

export const commitPreparedSql = (gid: Gid): string => `COMMIT PREPARED ${literalGid(gid)}`;
export const rollbackPreparedSql = (gid: Gid): string => `ROLLBACK PREPARED ${literalGid(gid)}`;

export const BEGIN = 'BEGIN';
export const COMMIT = 'COMMIT';
export const ROLLBACK = 'ROLLBACK';

/** Answers one row: what operations have prepared in SQL, as a JSON list. */
export const PREPARED_IN_SQL =
  `SELECT pg_catalog.json_agg(name)::text AS statements ` +
  `FROM pg_catalog.pg_prepared_statements WHERE from_sql`;

/**
 * The end of a branch that is not prepared. A rollback takes back every setting, notification, cursor
 * and temporary object; not advisory locks of the session, its sequences' last values and statements
 * prepared in SQL. In one message, so that behind a pooler it all happens in the same session.
 */
export const UNDO =
  `${ROLLBACK}; SELECT pg_catalog.pg_advisory_unlock_all(), ` +
  `(${PREPARED_IN_SQL}) AS statements; ` +
  `DISCARD SEQUENCES`;

/**
 * The same for a read-only branch that is serialisable: what it has read counts only if it commits
 * (Postgres manual, 13.2.3). The session was cleaned before; a cursor WITH HOLD would stay.
 */
export const COMMIT_READ_ONLY = 'CLOSE ALL; COMMIT';

/** For finishing what another role prepared. */
export const takeRoleSql = (role: string): string => `SET ROLE ${identifier(role)}`;
export const RESET_ROLE = 'RESET ROLE';

/** Statements that an operation prepared in SQL, forgotten again. */
export const deallocateSql = (names: readonly string[]): string =>
  names.map((name) => `DEALLOCATE ${identifier(name)}`).join('; ');

/**
 * Foreign tables that this transaction has locked for writing: their rows are committed by themselves.
 * Where the database has none, the locks are not looked at.
 */
export const FOREIGN_WRITES = {
  text:
    `SELECT c.oid::pg_catalog.regclass::text AS relation ` +
    `FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation ` +
    `WHERE (SELECT EXISTS (SELECT FROM pg_catalog.pg_foreign_table)) ` +
    `AND l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND c.relkind = 'f' ` +
    `AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ` +
    `LIMIT 5`,
  columns: ['relation'],
};

/** What {@link FOREIGN_WRITES} finds, as an error: a commit would commit it elsewhere, and not as one. */
export const NO_FOREIGN_WRITES: FlightStep = {
  text:
    `SELECT (CASE WHEN EXISTS (${FOREIGN_WRITES.text}) THEN 'concordat: foreign rows' ELSE 't' END)` +
    `::pg_catalog.bool AS own`,
  columns: ['own'],
};

/** Takes a branch back that was closed and had only read. */
export const ROLL_BACK = { text: ROLLBACK };

export const CANCEL_BACKEND = 'SELECT pg_cancel_backend($1)';

/**
 * What closes a branch before its vote, in one flight and in this order:
 *
 * 1. Deferred constraints and triggers run now, under the operation's own role and settings.
 * 2. `checkStep`: whether it still is the transaction that was begun, by whom; locks of the session that
 *    outlive transactions go; the role becomes the service's own again, for PREPARE makes it the owner.
 * 3. Every setting returns to its default, whatever set it, and
 * 4. what the service itself had given the session is put back.
 * 5. `insertOutcome`: the branch's outcome row, with time-outs that step 3 took.
 *
 * Crash anywhere in here: nothing is prepared, the session's end rolls everything back. Where the branch
 * is known to have written, PREPARE TRANSACTION is the last step of the same flight (`closing.ts`), and 2
 * and 5 are one statement as long as its work took on no role (`claimOutcome`).
 */
export const RUN_DEFERRED = { text: 'SET CONSTRAINTS ALL IMMEDIATE' };

/**
 * $1 gid, $2 login role, $3 the session's role, and $4 the role that finishes where that is another one.
 * Answers one row of text. It fails, with one of {@link CHECK_FAILS} in the message, where the branch may
 * not be prepared: what comes behind it in its flight is not run then.
 *
 * `calls`: functions may have been called. Then the branch gets a transaction id, so that PREPARE looks
 * at what it did, and statements that were prepared in SQL are looked for. `wrote`: it is expected to have
 * a transaction id.
 *
 * It runs in every branch, and each function in it is a microsecond of the server's.
 */
export function checkStep(
  [gid, login, sessionRole, ownRole]: readonly [string, string, string, string],
  kind: CheckKind,
): FlightStep {
  const values = [gid, login, sessionRole];
  return sessionRole === ownRole
    ? { ...CHECK[kind], values }
    : { ...CHECK_AS_OTHER[kind], values: [...values, ownRole] };
}

export type CheckKind = 'plain' | 'calls' | 'wrote';

/** What the check says where it fails, besides what the server says of it. */
export const CHECK_FAILS = {
  /** It is not the transaction that was begun. */
  transaction: 'concordat: another transaction',
  /** The session belongs to somebody else than when it began. */
  login: 'concordat: another login',
  /** It has no transaction id, so it has written nothing here. */
  wrote: 'concordat: nothing written',
  /** It wrote where a commit of it is none: {@link NO_FOREIGN_WRITES}. */
  foreign: 'concordat: foreign rows',
  /** In one phase: its transaction is below what this database has closed. */
  closed: 'concordat: past retention',
  /** In one phase: below what is not known, since what says it is gone. */
  unmarked: 'concordat: mark lost',
} as const;

type Condition = readonly [holds: string, why: string];

const isSame = (gid: string): Condition => [
  `pg_catalog.current_setting('${MARK}', true) OPERATOR(pg_catalog.=) ${gid}`,
  CHECK_FAILS.transaction,
];
const isOwn = (login: string): Condition => [
  `session_user OPERATOR(pg_catalog.=) ${login}::pg_catalog.name`,
  CHECK_FAILS.login,
];
const HAS_WRITTEN: Condition = [
  `pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL`,
  CHECK_FAILS.wrote,
];

/**
 * True where all conditions hold, or an error that says which one does not: a text that is no boolean,
 * which the server quotes in any language.
 */
export function orFail(conditions: readonly Condition[]): string {
  const cases = conditions.map(([holds, why]) => `WHEN (${holds}) IS NOT TRUE THEN '${why}'`);
  return `(CASE ${cases.join(' ')} ELSE 't' END)::pg_catalog.bool`;
}

function check(kind: CheckKind, { asOther }: { readonly asOther: boolean }) {
  const conditions = [isSame('$1'), isOwn('$2'), ...(kind === 'wrote' ? [HAS_WRITTEN] : [])];
  const asked: Record<string, string> = {
    fit: orFail(conditions),
    isolation: `pg_catalog.current_setting('transaction_isolation')`,
    unlocked: `pg_catalog.pg_advisory_unlock_all()`,
    session_role: `pg_catalog.set_config('role', $3, false)`,
    ...(asOther ? { role: `pg_catalog.set_config('role', $4, true)` } : {}),
    ...(kind === 'calls'
      ? {
          forced: `pg_catalog.pg_current_xact_id()::pg_catalog.text`,
          prepared: `EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() AS made WHERE made.from_sql)`,
        }
      : {}),
  };
  const listed = Object.entries(asked).map(([name, what]) => `${what} AS ${name}`);
  return { text: `SELECT ${listed.join(', ')}`, columns: Object.keys(asked) };
}

const CHECK = checks({ asOther: false });
const CHECK_AS_OTHER = checks({ asOther: true });

function checks(as: { readonly asOther: boolean }): Record<CheckKind, FlightStatement> {
  return { plain: check('plain', as), calls: check('calls', as), wrote: check('wrote', as) };
}

export const RESET_SETTINGS = { text: 'RESET ALL' };

/** $1 settings as a JSON object. */
export const PUT_BACK = {
  text: `SELECT pg_catalog.set_config(key, value, false) FROM pg_catalog.json_each_text($1::json)`,
  columns: ['value'],
};

export const FORGET_SEQUENCES = { text: 'DISCARD SEQUENCES' };

/**
 * The role that connections of this service begin with: the one that will finish what it prepares; and
 * whether the database has what counts rows as written without giving the transaction an id: foreign
 * tables, and triggers that do something else instead; and whether it may write outcome rows.
 */
const ownSideSql = (table: string): string =>
  `SELECT current_setting('role') AS role, current_setting('client_min_messages') AS messages, EXISTS (SELECT FROM pg_catalog.pg_foreign_table) OR ` +
  `EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgtype & 64 <> 0) AS "countsMayDeceive", ` +
  `has_table_privilege(to_regclass('${table.replaceAll("'", "''")}'), 'INSERT') IS NOT FALSE AS "mayWrite"`;

/** The statements that name the outcome table, for the schema it lives in. */
export interface OutcomeStatements {
  /** Answers one row about the role and the database that a service works with. */
  readonly ownSide: string;
  /**
   * $1 transaction, $2 branch, $3 participant, $4 lock time-out, $5 statement time-out, $6 idle
   * time-out. Answers one row: `wrote`, whether the branch wrote.
   */
  readonly insertOutcome: FlightStatement;
  /**
   * The check and the outcome row in one, for a branch that is known to have written, by the role that the
   * session works as: $1 transaction, $2 branch, $3 participant, $4 gid, $5 login role, $6 the session's
   * role, $7 lock time-out. Fails as {@link checkStep} does.
   */
  readonly claimOutcome: FlightStatement;
  /** $1 transaction, $2 branch, $3 participant, $4 lock time-out. No row: somebody was first. */
  readonly insertTombstone: string;
  /** $1 transaction, $2 branch. */
  readonly readOutcome: string;
  /** $1 array of transactions, $2 array of branches. */
  readonly readOutcomes: string;
}

export function outcomeStatements(schema: string): OutcomeStatements {
  const table = `${identifier(schema)}.concordat_branch`;
  return {
    ownSide: ownSideSql(table),
    // One statement asks "did this branch write?" and marks it. The row is the branch's own write:
    // it appears if and only if the branch commits. A holder of its key is this same branch,
    // prepared or at work elsewhere, and waiting for it ends by the lock time-out, which says so; the
    // statement time-out, or our own, would be taken for a deadline and be worth another try.
    insertOutcome: insertOutcome(table),
    // Its rights are looked at before it sets the role: who wrote has to be who may write this row.
    claimOutcome: {
      text:
        `INSERT INTO ${table} (transaction, branch, participant, kind) ` +
        `SELECT $1, $2::pg_catalog.int2, $3, 'branch' ` +
        `WHERE ${orFail([isSame('$4'), isOwn('$5'), HAS_WRITTEN])} ` +
        `AND pg_catalog.pg_advisory_unlock_all() IS NOT NULL ` +
        `AND pg_catalog.set_config('role', $6, false) IS NOT NULL ` +
        `AND pg_catalog.set_config('lock_timeout', $7, true) IS NOT NULL`,
    },
    // The lock time-out is set by the statement itself, for its own implicit transaction: a branch
    // that is still running holds the key, and the tombstone must not wait for it for long.
    insertTombstone:
      `INSERT INTO ${table} (transaction, branch, participant, kind) ` +
      `SELECT $1, $2::smallint, $3, 'tombstone' ` +
      `FROM (SELECT set_config('lock_timeout', $4, true) || ${FLUSHED} AS set) AS own ` +
      `WHERE own.set IS NOT NULL ON CONFLICT (transaction, branch) DO NOTHING`,
    readOutcome:
      `SELECT pg_is_in_recovery() AS standby, (SELECT kind FROM ${table} ` +
      `WHERE transaction = $1 AND branch = $2::smallint) AS kind`,
    readOutcomes:
      `SELECT o.transaction, o.branch::text AS branch, o.kind FROM ${table} AS o ` +
      `JOIN unnest($1::text[], $2::smallint[]) AS asked (transaction, branch) ` +
      `ON o.transaction = asked.transaction AND o.branch = asked.branch`,
  };
}

/** Where a wait for a standby is ended, the server says so in a warning: a session may be set to say none. */
const WARNED = `set_config('client_min_messages', 'warning', true)`;
/** A commit is on disk before it is answered, as PREPARE always is: a session may be set to less. */
export const FLUSHED =
  `set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ` +
  `ELSE current_setting('synchronous_commit') END, true) || ${WARNED}`;

/**
 * The outcome row of a branch, in its own transaction. `more`: what else it sets. `mayWrite`: a condition that
 * fails, with an error, where a branch that has written may not have a row.
 */
export function insertOutcome(table: string, more = '', mayWrite?: string): FlightStatement {
  const wrote = 'pg_current_xact_id_if_assigned() IS NOT NULL';
  return {
    text:
      `WITH claimed AS (INSERT INTO ${table} (transaction, branch, participant, kind) ` +
      `SELECT $1, $2::smallint, $3, 'branch' ` +
      `FROM (SELECT set_config('lock_timeout', $4, true) || set_config('statement_timeout', $5, true) || ` +
      `set_config('idle_in_transaction_session_timeout', $6, true) || ${WARNED}${more} AS set) AS own ` +
      `WHERE own.set IS NOT NULL AND ` +
      `${mayWrite === undefined ? wrote : `CASE WHEN ${wrote} THEN ${mayWrite} ELSE false END`} RETURNING 1) ` +
      `SELECT EXISTS (SELECT FROM claimed) AS wrote`,
    columns: ['wrote'],
  };
}

/** A gid as a literal, checked again at the one place where it becomes SQL. */
function literalGid(gid: string): string {
  if (!parseGid(gid) || Buffer.byteLength(gid) > GID_BYTES_MAX) {
    throw new RangeError(`not a gid of this protocol, refused before it becomes SQL: ${gid}`);
  }
  return `'${gid}'`;
}

export function identifier(name: string): string {
  if (name.length === 0 || name.length > 63 || name.includes('\0')) {
    throw new RangeError(`not a schema name: ${JSON.stringify(name)}; use 1 to 63 characters`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** A time-out as Postgres takes it. */
export function milliseconds(ms: number): number {
  return Math.min(TIMEOUT_MS_MAX, Math.max(1, Math.ceil(ms)));
}
