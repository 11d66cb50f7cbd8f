/** Statements behind the overview: counts over the few rows that wait, off their own indexes. */

/**
 * Commits on record that have not ended, at most $1 of them: how many, by age ($2, the ids that were made at
 * the ages' ends, ascending), the oldest, and how many have no finisher among $3.
 */
export const IN_DOUBT = `
  WITH waiting AS MATERIALIZED (
    SELECT d.transaction, d.finisher FROM concordat.decision d
     WHERE d.decision = 'commit' AND d.ended_at IS NULL
     ORDER BY d.transaction LIMIT $1
  ), aged AS (
    SELECT width_bucket(w.transaction COLLATE "C", $2::text[]) AS age, count(*)::int AS count
      FROM waiting w GROUP BY age
  )
  SELECT (SELECT count(*)::int FROM waiting) AS transactions,
         (SELECT min(transaction) FROM waiting) AS oldest,
         (SELECT count(*)::int FROM waiting WHERE finisher <> ALL ($3::text[])) AS abandoned,
         (SELECT json_object_agg(age, count) FROM aged) AS ages`;

/** Of these transactions, those without a commit on record that waits. */
export const NOT_WAITING = `
  SELECT count(*)::int AS count FROM unnest($1::text[]) AS asked(transaction)
   WHERE NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = asked.transaction
                      AND d.decision = 'commit' AND d.ended_at IS NULL)`;

/** Why the last aborted transactions aborted, at most $2 of those above $1. */
export const ABORT_KINDS = `
  SELECT COALESCE(a.cause->>'kind', 'undetermined') AS kind, count(*)::int AS count
    FROM (SELECT j.cause FROM concordat.journal j
           WHERE j.status = 'aborted' AND j.transaction > $1
           ORDER BY j.transaction DESC LIMIT $2) a
   GROUP BY 1`;
