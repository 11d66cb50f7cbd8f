/**
 * Forgetting outcome rows and tombstones. Guards protocol §3: rows go only below the coordinators' low-water
 * mark *and* past retention. A crash between two pieces leaves rows that the next pruning takes.
 */
import type { Marks, Pacing } from '@concordat/engine';
import type { Pool } from 'pg';

/** How long an id is that names no participant (protocol §2). */
const OWNED_BY_REGISTER = 35;
const PIECE = 1_000;

/**
 * Never by age alone: a row below the mark may still be asked for until retention is over, and an old row
 * above it belongs to a transaction that has not ended. $1 low-water mark, $2 retention in milliseconds, $3
 * rows at most, $4 the mark below which the register has forgotten: what is decided here is kept above it. $5
 * where the piece before ended: what is deleted stays in the index until it is vacuumed, and is not to be
 * read again with every piece.
 */
const pruneSql = (table: string): string =>
  `WITH picked AS MATERIALIZED (SELECT ctid, transaction FROM ${table} ` +
  `WHERE transaction < $1 AND created_at < now() - $2::bigint * interval '1 millisecond' ` +
  `AND (length(transaction) = ${OWNED_BY_REGISTER} OR transaction < $4) ` +
  `AND transaction >= $5 ORDER BY transaction LIMIT $3::int), ` +
  `gone AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM picked)) RETURNING 1) ` +
  `SELECT (SELECT count(*) FROM gone)::int AS pruned, count(*)::int AS picked, ` +
  `max(transaction) AS last FROM picked`;

interface Piece {
  readonly pruned: number;
  readonly picked: number;
  /** The transaction that it ended at. */
  readonly last: string | null;
}

export interface Forgettable extends Marks {
  readonly retentionMs: number;
}

/** What pruning runs on: `table` is the outcome table as SQL names it. */
export interface OutcomeTable {
  readonly db: Pool;
  readonly table: string;
}

/**
 * Resolves with how many were deleted: all that may be forgotten, in pieces at the given pace. Once that is
 * stopped, the rest is left for another time.
 */
export async function pruneOutcomes(
  { db, table }: OutcomeTable,
  { below, retentionMs, forgottenBelow }: Forgettable,
  pace: Pacing,
): Promise<number> {
  const text = pruneSql(table);
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
