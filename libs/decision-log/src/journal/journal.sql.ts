/**
 * The journal's statements: one that writes notes, one that reads whose the branches of a transaction
 * are. The owner's own note is complete once no branch can join; one that a takeover changed, or made,
 * no longer says whether it was.
 *
 * Notes are written many notes at once, never forced. A transaction that was taken over
 * keeps what its first owner noted (who, when, what for); the taker's own branches and timeline stand
 * beside it. A note without a timeline (taken over, or stripped for want of memory) leaves the one that
 * is there, and a note of a live transaction never overwrites that of its end.
 */
export const WRITE_NOTES = `
  WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
  noted AS MATERIALIZED (
    SELECT n.transaction, n.owner, n.principal, n.label, n.status, n.decision, n.outcome,
           n.cause::json AS cause, string_to_array(n.participants, ',') AS participants,
           n.timeout_ms, to_timestamp(n.begun_at_ms / 1000) AS begun_at,
           to_timestamp(n.decided_at_ms / 1000) AS decided_at,
           to_timestamp(n.ended_at_ms / 1000) AS ended_at,
           n.branches::json AS branches, n.timeline::json AS timeline,
           n.takeover::json AS takeover, n.version
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                  $7::text[], $8::text[], $9::text[], $10::float8[], $11::float8[],
                  $12::float8[], $13::float8[], $14::text[], $15::text[], $16::text[],
                  $17::bigint[])
           AS n(transaction, owner, principal, label, status, decision, outcome, cause,
                participants, timeout_ms, begun_at_ms, decided_at_ms, ended_at_ms, branches,
                timeline, takeover, version), lazily
  ), written AS (
    INSERT INTO concordat.journal AS j (transaction, owner, principal, label, status, decision,
      outcome, cause, participants, timeout_ms, begun_at, decided_at, ended_at, branches, timeline,
      takeover, version)
    SELECT * FROM noted
    ON CONFLICT (transaction) DO UPDATE SET
      principal = COALESCE(j.principal, EXCLUDED.principal),
      status = EXCLUDED.status,
      decision = EXCLUDED.decision,
      outcome = EXCLUDED.outcome,
      cause = COALESCE(EXCLUDED.cause, j.cause),
      decided_at = COALESCE(j.decided_at, EXCLUDED.decided_at),
      ended_at = EXCLUDED.ended_at,
      takeover = COALESCE(EXCLUDED.takeover, j.takeover),
      participants = CASE WHEN EXCLUDED.takeover IS NULL
                          THEN EXCLUDED.participants ELSE j.participants END,
      branches = CASE WHEN EXCLUDED.takeover IS NULL THEN EXCLUDED.branches ELSE j.branches END,
      timeline = CASE WHEN EXCLUDED.timeline::text <> '[]'
                      THEN EXCLUDED.timeline ELSE j.timeline END,
      version = GREATEST(EXCLUDED.version, j.version + 1)
    WHERE j.ended_at IS NULL OR EXCLUDED.ended_at IS NOT NULL
  )
  INSERT INTO concordat.journal_participant (participant, transaction)
  SELECT p.participant, n.transaction FROM noted n, unnest(n.participants) AS p(participant)
  ON CONFLICT DO NOTHING`;

export const READ_STORY = `
  SELECT j.branches, j.takeover -> 'branches' AS taken_branches,
         j.takeover IS NULL AND j.status <> 'active' AS is_complete
    FROM concordat.journal j WHERE j.transaction = $1`;

/**
 * Which of these have no end on record. What the statement sees as ended was committed before it, and
 * its own commit is forced: on the same server, what lies before it in the log is then durable too.
 * The message only makes it a transaction that has something to force.
 */
export const WITHOUT_END = `
  WITH forced AS MATERIALIZED (
    SELECT pg_logical_emit_message(true, 'concordat', 'ends on record')
  )
  SELECT asked.transaction
    FROM forced, unnest($1::text[]) AS asked(transaction)
    LEFT JOIN concordat.journal j ON j.transaction = asked.transaction
   WHERE j.ended_at IS NULL`;
