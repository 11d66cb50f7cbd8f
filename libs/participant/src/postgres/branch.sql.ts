/**
 * The statements of one branch's life: begin, outcome row, prepare, finish, tombstone. Guards
 * protocol §4.2 and §4.4. A gid cannot be a bind parameter, so the only text that is ever spliced
 * in is checked here, where the SQL is built: gids against the protocol's own grammar, identifiers by
 * quoting, time-outs as integers.
 */
import { GID_BYTES_MAX, parseGid, type Gid } from '@concordat/protocol';

export type IsolationLevel = 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

export interface BranchTimeouts {
  readonly lockMs: number;
  readonly statementMs: number;
  readonly idleMs: number;
}

/** The longest time-out Postgres can hold: milliseconds in a signed 32-bit integer. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** A setting of the transaction that only lasts as long as it does. */
const MARK = 'concordat.branch';

/** Primary key of the outcome row: its violation means that the branch has been finished already. */
export const OUTCOME_KEY = 'concordat_branch_pkey';

/**
 * BEGIN and its time-outs in one round trip. A string of several statements is allowed here and
 * nowhere near PREPARE: it opens an explicit block, holds no user data, and answers one result per
 * statement, all of which are checked. `SET LOCAL` only: a plain SET would survive PREPARE and leak
 * into the pool. The process id is asked for inside the block because behind a pooler the one of the
 * connection is not the backend's. The transaction is marked with its gid for its own length, so that
 * another one, begun after a COMMIT that slipped past the gate, is told from it.
 */
export function beginSql(gid: Gid, timeouts: BranchTimeouts, isolation?: IsolationLevel): string {
  return [
    isolation ? `${BEGIN} ISOLATION LEVEL ${isolation}` : BEGIN,
    `SET LOCAL lock_timeout = ${milliseconds(timeouts.lockMs)}`,
    `SET LOCAL statement_timeout = ${milliseconds(timeouts.statementMs)}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${milliseconds(timeouts.idleMs)}`,
    `SELECT pg_backend_pid() AS pid, set_config('${MARK}', ${literalGid(gid)}, true)`,
  ].join('; ');
}

export const BEGIN_RESULTS = ['BEGIN', 'SET', 'SET', 'SET', 'SELECT'] as const;

/**
 * PREPARE TRANSACTION, alone in its message: `begin; …; prepare; …` as one string can fail and leave
 * the gid prepared.
 */
export const prepareSql = (gid: Gid): string => `PREPARE TRANSACTION ${literalGid(gid)}`;
export const commitPreparedSql = (gid: Gid): string => `COMMIT PREPARED ${literalGid(gid)}`;
export const rollbackPreparedSql = (gid: Gid): string => `ROLLBACK PREPARED ${literalGid(gid)}`;

export const BEGIN = 'BEGIN';
export const COMMIT = 'COMMIT';
export const ROLLBACK = 'ROLLBACK';
export const CANCEL_BACKEND = 'SELECT pg_cancel_backend($1)';

/** The statements that name the outcome table, for the schema it lives in. */
export interface OutcomeStatements {
  /**
   * $1 transaction, $2 branch, $3 participant, $4 lock time-out, $5 gid. Answers one row: `same`,
   * whether this still is the transaction that was begun, and `wrote`, whether the branch wrote.
   */
  readonly insertOutcome: string;
  /** $1 transaction, $2 branch, $3 participant, $4 lock time-out. No row: somebody was first. */
  readonly insertTombstone: string;
  /** $1 transaction, $2 branch. */
  readonly readOutcome: string;
  /** $1 array of transactions, $2 array of branches. */
  readonly readOutcomes: string;
  /** $1 low-water mark, $2 retention in milliseconds, $3 rows at most. */
  readonly prune: string;
}

export function outcomeStatements(schema: string): OutcomeStatements {
  const table = `${identifier(schema)}.concordat_branch`;
  return {
    // One statement asks "did this branch write?" and marks it. The row is the branch's own write:
    // it appears if and only if the branch commits. Whoever holds its key is this very branch,
    // prepared or at work elsewhere, and waiting for it ends by the lock time-out, which says so; the
    // statement time-out, or our own, would be taken for a deadline and be worth another try.
    // The mark is asked for in the same breath: what a transaction without it holds is not all of
    // the branch's work, for some of it was committed.
    insertOutcome:
      `WITH claimed AS (INSERT INTO ${table} (transaction, branch, participant, kind) ` +
      `SELECT $1, $2::smallint, $3, 'branch' ` +
      `FROM (SELECT set_config('lock_timeout', $4, true) AS set) AS own ` +
      `WHERE own.set IS NOT NULL AND pg_current_xact_id_if_assigned() IS NOT NULL RETURNING 1) ` +
      `SELECT current_setting('${MARK}', true) IS NOT DISTINCT FROM $5::text AS same, ` +
      `EXISTS (SELECT FROM claimed) AS wrote`,
    // The lock time-out is set by the statement itself, for its own implicit transaction: a branch
    // that is still running holds the key, and the tombstone must not wait for it for long.
    insertTombstone:
      `INSERT INTO ${table} (transaction, branch, participant, kind) ` +
      `SELECT $1, $2::smallint, $3, 'tombstone' ` +
      `FROM (SELECT set_config('lock_timeout', $4, true) AS set) AS own WHERE own.set IS NOT NULL ` +
      `ON CONFLICT (transaction, branch) DO NOTHING`,
    readOutcome:
      `SELECT pg_is_in_recovery() AS standby, (SELECT kind FROM ${table} ` +
      `WHERE transaction = $1 AND branch = $2::smallint) AS kind`,
    readOutcomes:
      `SELECT o.transaction, o.branch::text AS branch, o.kind FROM ${table} AS o ` +
      `JOIN unnest($1::text[], $2::smallint[]) AS asked (transaction, branch) ` +
      `ON o.transaction = asked.transaction AND o.branch = asked.branch`,
    // Never by age alone: a row below the mark may still be asked for until retention is over, and
    // an old row above it belongs to a transaction that has not ended.
    prune:
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} ` +
      `WHERE transaction < $1 AND created_at < now() - $2::bigint * interval '1 millisecond' ` +
      `ORDER BY transaction LIMIT $3::int))`,
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
