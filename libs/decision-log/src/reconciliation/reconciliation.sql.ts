/**
 * The statements of reconciliation. Guards protocol §3: decisions are read here, never written, and
 * many at once: one question for a page, answered from the primary keys.
 */
import { IS_ON_STANDBYS } from '../standby-wait.js';

/** Whether a commit on record names the branch. */
const COMMITS = `(d.decision = 'commit'
  AND d.branches @> jsonb_build_array(jsonb_build_object('branch', asked.branch)))`;

/** $1 transactions, $2 branches, in the same order. The mark and the rows are of one snapshot. */
export const COMPARE = `
  SELECT asked.transaction, asked.branch,
         CASE WHEN d.transaction IS NULL THEN NULL
              WHEN ${COMMITS} THEN 'commit' ELSE 'abort' END AS verdict,
         d.transaction IS NULL AND asked.transaction COLLATE "C" < mark.below AS forgotten,
         d.ended_at IS NOT NULL AS ended, d.finisher,
         (SELECT named->>'participant' FROM jsonb_array_elements(d.branches) named
           WHERE d.decision = 'commit' AND named->>'branch' = asked.branch LIMIT 1) AS participant
    FROM unnest($1::text[], $2::text[]) AS asked(transaction, branch)
   CROSS JOIN concordat.pruning_mark mark
    LEFT JOIN concordat.decision d ON d.transaction = asked.transaction`;

/** As above; only what is not committed here, above the mark, and without recorded evidence. */
export const CONTRADICTED = `
  SELECT asked.transaction, asked.branch
    FROM unnest($1::text[], $2::text[]) AS asked(transaction, branch)
   CROSS JOIN concordat.pruning_mark mark
    LEFT JOIN concordat.decision d ON d.transaction = asked.transaction
   WHERE ${COMMITS} IS NOT TRUE
     AND (d.transaction IS NOT NULL OR asked.transaction COLLATE "C" >= mark.below)
     AND NOT EXISTS (SELECT FROM concordat.heuristic h
                      WHERE h.transaction = asked.transaction AND h.branch = asked.branch)`;

/** $1 transactions, $2 branches: those with no decision on record, and no end in the history that says one. */
export const UNRECORDED = `
  SELECT asked.transaction, asked.branch
    FROM unnest($1::text[], $2::text[]) AS asked(transaction, branch)
   WHERE NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = asked.transaction)
     AND NOT EXISTS (SELECT FROM concordat.journal j
                      WHERE j.transaction = asked.transaction AND j.ended_at IS NOT NULL
                        AND j.decision IS NOT NULL)`;

/**
 * $1 participant: below what its outcome rows are needed no more. Nothing before they were compared once, and
 * nothing that is not past retention. What is deleted there does not come back with a standby that has less.
 */
export const FORGOTTEN_AT = `
  SELECT LEAST(m.below, r.base) AS below
    FROM concordat.pruning_mark m, concordat.reconciliation r
   WHERE r.participant = $1 AND r.base IS NOT NULL AND ${IS_ON_STANDBYS}`;

/** $1 decided at least so many milliseconds ago, $2 rows at most. */
export const UNFINISHED = `
  SELECT transaction, finisher, branches,
         (extract(epoch FROM now() - decided_at) * 1000)::float8 AS decided_ago_ms
    FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL
     AND decided_at <= now() - $1::float8 * interval '1 ms'
   ORDER BY transaction LIMIT $2`;

/** No coordinator on the list: nothing is live, and what begins from now on is younger than now. */
export const SCAN_BOUNDS = `
  SELECT (SELECT below FROM concordat.pruning_mark) AS mark,
         (SELECT (extract(epoch FROM created_at) * 1000)::float8 FROM concordat.cluster) AS born_ms,
         COALESCE((SELECT min(floor) FROM concordat.coordinator),
                  concordat.lowest_transaction_id(clock_timestamp())) AS live_floor`;

/** $1 participant, $2 length of the turn in milliseconds, $3 whether to take it in any case. */
export const TAKE_TURN = `
  INSERT INTO concordat.reconciliation AS r (participant, turn_until)
  VALUES ($1, now() + $2::float8 * interval '1 ms')
  ON CONFLICT (participant) DO UPDATE SET turn_until = EXCLUDED.turn_until, seen_at = now()
   WHERE r.turn_until <= now() OR $3::boolean
  RETURNING base, position_transaction, position_branch, candidate`;

/** $1 participant, $2 to $5 as it was, $6 to $9 as it becomes. */
export const ADVANCE = `
  UPDATE concordat.reconciliation
     SET base = $6, position_transaction = $7, position_branch = $8, candidate = $9
   WHERE participant = $1 AND base IS NOT DISTINCT FROM $2
     AND position_transaction IS NOT DISTINCT FROM $3
     AND position_branch IS NOT DISTINCT FROM $4 AND candidate IS NOT DISTINCT FROM $5
  RETURNING participant`;

export const WATCHED =
  'SELECT gid FROM concordat.watched_branch WHERE participant = $1 ORDER BY gid LIMIT 20000';
export const WATCH = `
  INSERT INTO concordat.watched_branch (participant, gid)
  SELECT $1, gid FROM unnest($2::text[]) AS asked(gid) ORDER BY gid ON CONFLICT DO NOTHING`;
export const UNWATCH =
  'DELETE FROM concordat.watched_branch WHERE participant = $1 AND gid = ANY ($2::text[])';

/** Names that have answered, or were compared lately, and are not retired. */
export const COMPARED_PARTICIPANTS = `
  SELECT p.participant FROM concordat.participant p WHERE p.retired_at IS NULL
   UNION
  SELECT r.participant FROM concordat.reconciliation r
   WHERE r.seen_at > now() - interval '7 days'
     AND NOT EXISTS (SELECT FROM concordat.participant p
                      WHERE p.participant = r.participant AND p.retired_at IS NOT NULL)
   ORDER BY participant`;
