/**
 * The statements of a transaction that its only participant decides, in its outcome table. Guards protocol
 * §4.6 and "safety never rests on a clock": what pruning has forgotten is closed before, durably. Below that
 * mark no branch commits any more, however late its prepare comes, and a row that is not there shows nothing.
 *
 * Why a late commit cannot slip through. What writes a row reads the mark in the same statement, and so locks its
 * table until its transaction has ended. Raising the mark locks that table alone: it waits for those that read
 * the old mark, and a transaction that comes later reads the new one. A branch whose snapshot is older than the mark (repeatable
 * read, serializable) locks the mark's row, which fails where it has changed since.
 */
import { CHECK_FAILS, FLUSHED, insertOutcome } from './branch.sql.js';
import type { FlightStatement, FlightStep } from './flight.js';
import { closedTable, outcomeTable } from './migration.sql.js';

/** The end of a branch in one phase, as a step of a flight: what was bound before it has to succeed first. */
export const COMMIT_STEP: FlightStep = { text: 'COMMIT', tag: true };
/** How its command tag begins when the branch has committed; in a failed one it is ROLLBACK. */
export const COMMITTED = 'COMMIT';

/**
 * Behind the commit of one phase: whether the connection keeps something of a branch, which PREPARE would have
 * refused. Answers one row.
 */
export const LEFT_BEHIND: FlightStep = {
  text:
    `SELECT pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0 OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) ` +
    `OR EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) AS keeps`,
  columns: ['keeps'],
};

/** The same where a pooler gives the session to others next: what is kept goes, and belongs to no session. */
export const LEAVE_NOTHING: readonly FlightStep[] = [
  { text: 'CLOSE ALL' },
  { text: 'UNLISTEN *' },
  { text: 'DISCARD TEMP' },
];

/** The statements that name the outcome table, for the schema it lives in. */
export interface OnePhaseStatements {
  /**
   * As `insertOutcome`, of a branch that is about to commit by it: flushed, whatever the session is set to. Fails, as
   * the check of a branch does, where its transaction is closed.
   */
  readonly insertDecision: FlightStatement;
  /** As `insertTombstone`; no row also where the transaction is closed. */
  readonly insertAbort: string;
  /**
   * $1 transaction, $2 branch. Rewrites the row that is there, and answers its kind, in a transaction that waits for
   * everything that a commit here waits for: the one that wrote it may be seen before a standby has it.
   */
  readonly confirmDecision: string;
  /**
   * $1 transaction. Answers one row: `closed`, whether its outcome may have been forgotten; null where that is not
   * known, since the mark is gone.
   */
  readonly isClosed: string;
  /** $1 what the mark is where it is gone: no lower than it has ever been. */
  readonly restoreMark: string;
}

export function onePhaseStatements(schema: string): OnePhaseStatements {
  const table = outcomeTable(schema);
  const closed = closedTable(schema);
  const isOpen = `$1 >= ${markOf(closed)}`;
  const mayDecide =
    `(CASE WHEN ${isOpen} THEN 't' WHEN EXISTS (SELECT FROM ${closed}) THEN '${CHECK_FAILS.closed}' ` +
    `ELSE '${CHECK_FAILS.unmarked}' END)::pg_catalog.bool`;
  return {
    insertDecision: insertOutcome(table, ` || ${FLUSHED}`, mayDecide),
    insertAbort:
      `INSERT INTO ${table} (transaction, branch, participant, kind) ` +
      `SELECT $1, $2::smallint, $3, 'tombstone' ` +
      `FROM (SELECT set_config('lock_timeout', $4, true) || ${FLUSHED} AS set) AS own ` +
      `WHERE own.set IS NOT NULL AND ${isOpen} ON CONFLICT (transaction, branch) DO NOTHING`,
    confirmDecision:
      `UPDATE ${table} SET kind = kind WHERE transaction = $1 AND branch = $2::smallint ` +
      `AND ${FLUSHED} IS NOT NULL RETURNING kind`,
    isClosed: `SELECT $1 < (SELECT below FROM ${closed}) AS closed`,
    restoreMark:
      `INSERT INTO ${closed} (below) SELECT $1 WHERE NOT EXISTS (SELECT FROM ${closed}) ` +
      `ON CONFLICT DO NOTHING`,
  };
}

/** The mark as it is now, whatever the snapshot of the transaction that asks. */
function markOf(closed: string): string {
  return (
    `(CASE current_setting('transaction_isolation') WHEN 'read committed' THEN (SELECT below FROM ${closed}) ` +
    `ELSE (SELECT below FROM ${closed} FOR SHARE) END)`
  );
}
