/**
 * Forgetting outcome rows and tombstones. Guards protocol §3: rows go only below the coordinators' low-water
 * mark *and* past retention; and §4.6: what is decided here is closed before it is forgotten, so that no late
 * prepare commits what was told as aborted, and no tombstone is taken for the first row.
 *
 * Crash windows: closed and nothing deleted, the next pruning deletes; a crash between two pieces leaves rows that the
 * next one takes. Never a row deleted above the mark.
 */
import type { Marks, Pacing } from '@concordat/engine';
import type { Pool } from 'pg';
import { BEGIN, COMMIT } from './branch.sql.js';
import { lend } from './pools.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';

/** How long an id is that names no participant (protocol §2). */
const OWNED_BY_REGISTER = 35;
const PIECE = 1_000;

/**
 * Never by age alone: a row below the mark may still be asked for until retention is over, and an old row
 * above it belongs to a transaction that has not ended. $1 low-water mark, $2 retention in milliseconds, $3
 * rows at most, $4 the mark below which coordinators need nothing of what is decided here: it is kept above it, and above
 * what is closed. $5 where the piece before ended: what is deleted stays in the index until it is vacuumed, and is not to be
 * read again with every piece.
 */
const pruneSql = ({ table, closed }: Tables): string =>
  `WITH picked AS MATERIALIZED (SELECT ctid, transaction FROM ${table} ` +
  `WHERE transaction < $1 AND created_at < now() - $2::bigint * interval '1 millisecond' ` +
  `AND (length(transaction) = ${OWNED_BY_REGISTER} OR ` +
  `(transaction < $4 AND transaction < (SELECT below FROM ${closed}))) ` +
  `AND transaction >= $5 ORDER BY transaction LIMIT $3::int), ` +
  `gone AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM picked)) RETURNING 1) ` +
  `SELECT (SELECT count(*) FROM gone)::int AS pruned, count(*)::int AS picked, ` +
  `max(transaction) AS last FROM picked`;

/** $1 and $4 as above, as one. Answers a row where something would be forgotten that is not closed yet. */
const openSql = ({ table, closed }: Tables): string =>
  `SELECT 1 FROM ${closed} AS c WHERE c.below < $1 AND EXISTS (SELECT FROM ${table} AS o ` +
  `WHERE o.transaction < $1 AND length(o.transaction) > ${OWNED_BY_REGISTER})`;

/**
 * Those that read the old mark hold this lock until they have ended. Branches that are about to commit wait behind
 * it: not for long.
 */
const lockSql = ({ closed }: Tables): string => `LOCK TABLE ${closed} IN ACCESS EXCLUSIVE MODE`;
const LIMIT_LOCK = `SET LOCAL lock_timeout = 100; SET LOCAL idle_in_transaction_session_timeout = 2000`;
/** $1 the mark; it never falls. */
const closeSql = ({ closed }: Tables): string => `UPDATE ${closed} SET below = $1 WHERE below < $1`;

interface Piece {
  readonly pruned: number;
  readonly picked: number;
  /** The transaction that it ended at. */
  readonly last: string | null;
}

export interface Forgettable extends Marks {
  readonly retentionMs: number;
}

/** The tables as SQL names them. */
interface Tables {
  readonly table: string;
  readonly closed: string;
}

/** What pruning runs on. */
export interface OutcomeTable extends Tables {
  readonly db: Pool;
}

/**
 * Resolves with how many were deleted: all that may be forgotten, in pieces at the given pace. Once that is
 * stopped, the rest is left for another time.
 */
export async function pruneOutcomes(
  { db, ...tables }: OutcomeTable,
  { below, retentionMs, forgottenBelow }: Forgettable,
  pace: Pacing,
): Promise<number> {
  if (forgottenBelow !== undefined) {
    await close({ db, ...tables }, forgottenBelow < below ? forgottenBelow : below);
  }
  const text = pruneSql(tables);
  let pruned = 0;
  for (let from = ''; ;) {
    const values = [below, Math.ceil(retentionMs), PIECE, forgottenBelow ?? '', from];
    const { rows } = await pace.piece(() => db.query<Piece>(text, values));
    const [piece] = rows;
    pruned += piece?.pruned ?? 0;
    if (!piece?.last || piece.picked < PIECE || !(await pace.rest())) return pruned;
    from = piece.last;
  }
}

/** Closes what is below, where something of it is to be forgotten. Left for another time while a commit is under way that does not end. */
async function close({ db, ...tables }: OutcomeTable, below: string): Promise<void> {
  if ((await db.query(openSql(tables), [below])).rowCount === 0) return;
  try {
    await lend(await db.connect(), async (client) => {
      await client.query(BEGIN);
      await client.query(LIMIT_LOCK);
      await client.query(lockSql(tables));
      await client.query(closeSql(tables), [below]);
      await client.query(COMMIT);
    });
  } catch (error) {
    if (sqlErrorOf(error)?.code !== SqlState.lockNotAvailable) throw error;
  }
}
