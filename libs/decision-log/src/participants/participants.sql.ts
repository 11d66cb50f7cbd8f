/**
 * Who takes part, as the decision database remembers it. Guards "a participant is a name that has
 * answered": nothing here is made of a name that somebody merely asked for.
 */

/**
 * $1 names that have answered, $2 what was prepared there, where it was reported (NULL where not). An answer
 * makes a retired name a participant again. Not forced: a name that answers once answers again.
 */
export const NOTE_ANSWERED = `
  WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
  INSERT INTO concordat.participant AS p (participant, in_doubt, looked_at)
  SELECT n.participant, n.in_doubt, CASE WHEN n.in_doubt IS NOT NULL THEN now() END
    FROM unnest($1::text[], $2::int[]) AS n(participant, in_doubt), lazily
   ORDER BY n.participant
  ON CONFLICT (participant) DO UPDATE SET
    seen_at = now(), retired_at = NULL,
    in_doubt = COALESCE(EXCLUDED.in_doubt, p.in_doubt),
    looked_at = COALESCE(EXCLUDED.looked_at, p.looked_at)`;

/**
 * Branches of commits on record that have not ended, except those that are on record as finished: by name, or
 * by place, see history/story.ts. What the owner noted holds after a takeover, which asks every branch again.
 */
const UNDELIVERED = `
  SELECT b.participant
    FROM (SELECT transaction, branches FROM concordat.decision
           WHERE decision = 'commit' AND ended_at IS NULL ORDER BY transaction LIMIT $1) d
    LEFT JOIN concordat.journal j ON j.transaction = d.transaction
   CROSS JOIN LATERAL jsonb_to_recordset(d.branches) AS b(branch text, participant text)
   WHERE NOT EXISTS (
     SELECT FROM (VALUES (j.branches), (j.takeover -> 'branches')) AS noted(branches)
      CROSS JOIN LATERAL json_array_elements(noted.branches) AS known(branch)
      WHERE COALESCE(known.branch ->> 'branch', known.branch ->> 0) = b.branch
        AND COALESCE(known.branch ->> 'outcome', known.branch ->> 5) IS NOT NULL)`;

/** At most $1 commits on record are looked at. */
export const COUNT_UNDELIVERED = `
  SELECT u.participant, count(*)::int AS count FROM (${UNDELIVERED}) u GROUP BY 1`;

/**
 * Every name that has answered and is not retired. A commit on record names only participants that have
 * voted: these count, though the coordinator that got the vote died before the name was noted.
 */
export const LIST_PARTICIPANTS = `
  SELECT p.participant, (extract(epoch FROM p.seen_at) * 1000)::float8 AS seen_at_ms, p.in_doubt,
         (extract(epoch FROM p.looked_at) * 1000)::float8 AS looked_at_ms
    FROM concordat.participant p WHERE p.retired_at IS NULL
   UNION ALL
  SELECT v.participant, NULL, NULL, NULL
    FROM (SELECT DISTINCT b.participant
            FROM (SELECT branches FROM concordat.decision
                   WHERE decision = 'commit' AND ended_at IS NULL ORDER BY transaction LIMIT $1) d
           CROSS JOIN LATERAL jsonb_to_recordset(d.branches) AS b(participant text)) v
   WHERE NOT EXISTS (SELECT FROM concordat.participant p
                      WHERE p.participant = v.participant AND p.retired_at IS NULL)`;

/**
 * $1 name. Nothing when a commit on record that has not ended names it, or it alone decides what was noted and has no
 * end: all of it is one statement.
 */
export const RETIRE = `
  UPDATE concordat.participant p SET retired_at = now()
   WHERE p.participant = $1 AND p.retired_at IS NULL
     AND NOT EXISTS (
       SELECT FROM concordat.decision d WHERE d.decision = 'commit' AND d.ended_at IS NULL
          AND d.branches @> jsonb_build_array(jsonb_build_object('participant', $1::text)))
     AND NOT EXISTS (
       SELECT FROM concordat.journal j WHERE j.ended_at IS NULL AND substr(j.transaction, 37) = $1
          AND NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = j.transaction))
  RETURNING p.participant`;
