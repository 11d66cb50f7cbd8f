/**
 * Pruning, in two steps that must not be swapped: first the mark rises and is durable, then rows below it go.
 * Guards protocol §3: what was pruned is never decided again.
 */

import { SPAN } from '../history/history.sql.js';

/** The lowest id that could have been made at a moment of the database's clock. */
const LOWEST_ID = (moment: string): string =>
  `concordat.lowest_transaction_id(${moment}) COLLATE "C"`;

/**
 * Waits until every insert that read the old mark has ended, and holds back new ones until the new mark is
 * durable. Without it, an insert could look (no mark, a blocking row), lose the row to the pruning, and
 * decide an ended transaction again.
 */
export const LOCK_MARK = 'LOCK TABLE concordat.pruning_mark IN ACCESS EXCLUSIVE MODE';
/** Decides queue behind the lock: give up soon and prune another time. */
export const LIMIT_MARK_WAIT = `SET LOCAL lock_timeout = '2s'`;
/** $1 the low-water mark, $2 retention in milliseconds: the age is the database's to say. */
export const RAISE_MARK = `
  UPDATE concordat.pruning_mark m SET below = risen.below
    FROM (SELECT LEAST($1::text COLLATE "C",
                       ${LOWEST_ID(`clock_timestamp() - $2::float8 * interval '1 ms'`)}) AS below)
         AS risen
   WHERE m.below < risen.below`;
export const READ_MARK = 'SELECT below FROM concordat.pruning_mark';

export const IS_FORGOTTEN = `
  SELECT $1::text COLLATE "C" < m.below
         AND NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = $1) AS forgotten
    FROM concordat.pruning_mark m`;

export const DELETE_DECISIONS = `
  WITH picked AS MATERIALIZED (
    SELECT d.transaction FROM concordat.decision d
     WHERE d.transaction < $1 AND d.transaction > $2
       AND d.ended_at <= now() - $3::float8 * interval '1 ms'
       AND NOT EXISTS (SELECT FROM concordat.heuristic h
                        WHERE h.transaction = d.transaction AND h.resolved_at IS NULL)
     ORDER BY d.transaction LIMIT $4
       FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM concordat.decision d USING picked WHERE d.transaction = picked.transaction
    RETURNING d.transaction
  )
  SELECT count(*)::int AS deleted, max(transaction) AS last FROM gone`;

/** A history row outlives its decision and any open heuristic, never the other way round. */
export const DELETE_HISTORY_BELOW = `
  WITH picked AS MATERIALIZED (
    SELECT j.transaction FROM concordat.journal j
     WHERE j.transaction < $1 AND j.transaction > $2
       AND NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = j.transaction)
       AND NOT EXISTS (SELECT FROM concordat.heuristic h
                        WHERE h.transaction = j.transaction AND h.resolved_at IS NULL)
     ORDER BY j.transaction LIMIT $3
  ), gone AS (
    DELETE FROM concordat.journal j USING picked WHERE j.transaction = picked.transaction
    RETURNING j.transaction
  )
  SELECT count(*)::int AS deleted, max(transaction) AS last FROM gone`;

/**
 * Stories of what has ended so long ago, whether decisions of that age are kept or not. $1 the history's
 * retention in milliseconds, $2 after which transaction, $3 rows at most.
 */
export const DELETE_HISTORY = `
  WITH picked AS MATERIALIZED (
    SELECT j.transaction FROM concordat.journal j
     WHERE j.transaction < ${LOWEST_ID(`clock_timestamp() - $1::float8 * interval '1 ms'`)}
       AND j.transaction > $2 AND j.ended_at <= now() - $1::float8 * interval '1 ms'
       AND NOT EXISTS (SELECT FROM concordat.heuristic h
                        WHERE h.transaction = j.transaction AND h.resolved_at IS NULL)
     ORDER BY j.transaction LIMIT $3
  ), gone AS (
    DELETE FROM concordat.journal j USING picked WHERE j.transaction = picked.transaction
    RETURNING j.transaction
  )
  SELECT count(*)::int AS deleted, max(transaction) AS last FROM gone`;

/**
 * Spans of which no story is left, participant by participant. $1 made at least so many milliseconds ago by
 * the database's clock, $2 rows at most. A note that is written later than that may miss its span.
 */
export const DELETE_SPANS = `
  WITH RECURSIVE names AS (
    (SELECT p.participant FROM concordat.journal_participant p ORDER BY p.participant LIMIT 1)
     UNION ALL
    SELECT (SELECT p.participant FROM concordat.journal_participant p
             WHERE p.participant > n.participant ORDER BY p.participant LIMIT 1)
      FROM names n WHERE n.participant IS NOT NULL
  ), picked AS MATERIALIZED (
    SELECT n.participant, empty.span FROM names n CROSS JOIN LATERAL (
      SELECT p.span FROM concordat.journal_participant p
       WHERE p.participant = n.participant
         AND p.span < left(${LOWEST_ID(`clock_timestamp() - $1::float8 * interval '1 ms'`)}, ${SPAN})
         AND NOT EXISTS (SELECT FROM concordat.journal j
                          WHERE j.transaction >= p.span AND j.transaction < p.span || '~')
       ORDER BY p.span LIMIT $2) empty
     LIMIT $2
  ), gone AS (
    DELETE FROM concordat.journal_participant p USING picked
     WHERE p.participant = picked.participant AND p.span = picked.span
    RETURNING p.span
  )
  SELECT count(*)::int AS deleted, max(span) AS last FROM gone`;

/**
 * No floor is ahead of the database's clock: a transaction that begins there may still become older than
 * that.
 */
export const COORDINATOR_SEEN = `
  INSERT INTO concordat.coordinator (incarnation, beat, floor)
  VALUES ($1, $3, LEAST($2::text COLLATE "C", ${LOWEST_ID('clock_timestamp()')}))
  ON CONFLICT (incarnation) DO UPDATE
     SET floor = EXCLUDED.floor, beat = EXCLUDED.beat, seen_at = now()`;
/** $2 its last heartbeat as it was seen, or null: one that has come back since stays. */
export const FORGET_COORDINATOR = `
  DELETE FROM concordat.coordinator
   WHERE incarnation = $1 AND ($2::bigint IS NULL OR beat = $2::bigint)`;
/** A standby may lag behind: its answer is not reliable. */
export const HOLDS_BEAT = `
  SELECT pg_is_in_recovery() AS standby,
         EXISTS (SELECT FROM concordat.coordinator
                  WHERE incarnation = $1 AND beat >= $2::bigint) AS held`;
export const NAME_DATABASE = `
  SELECT current_database() AS database,
         (SELECT d.oid::bigint::float8 FROM pg_database d WHERE d.datname = current_database()) AS oid`;
/** Not every role may ask. */
export const NAME_SERVER = `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
         (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline`;
export const LIST_COORDINATORS = `
  SELECT incarnation, floor, beat::float8 AS beat, (extract(epoch FROM now() - seen_at) * 1000)::float8 AS seen_ago_ms,
         (extract(epoch FROM started_at) * 1000)::float8 AS started_at_ms
    FROM concordat.coordinator ORDER BY incarnation`;

/** $1 how many milliseconds the mark stays behind the database's now. */
export const LOW_WATER_MARK = `
  SELECT LEAST(${LOWEST_ID(`clock_timestamp() - $1::float8 * interval '1 ms'`)},
               (SELECT min(floor) FROM concordat.coordinator),
               (SELECT transaction FROM concordat.decision
                 WHERE decision = 'commit' AND ended_at IS NULL
                 ORDER BY transaction LIMIT 1)) AS below`;
