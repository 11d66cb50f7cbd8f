/**
 * The history's statements: one that writes notes, one that reads whose the branches of a transaction
 * are. The owner's own note is complete once no branch can join; one that a takeover changed, or made,
 * no longer says whether it was.
 */

/**
 * So many characters of an id are its span: those made within 32 ms. In which spans a participant took part
 * is kept instead of each of its transactions: under load that is a fraction of the rows, and a span is read
 * off the history's own key.
 */
export const SPAN = 9;

/**
 * Notes are written in batches, never forced. A transaction that was taken over keeps what its first owner
 * noted (caller, time, purpose); the new owner's branches and timeline are stored beside it. A note without a
 * timeline (taken over, or stripped for lack of memory) leaves the one that is there, and a note of a live
 * transaction never overwrites that of its end.
 *
 * $1 JSON, a list of rows. A list of text per column costs more on both sides.
 */
export const WRITE_NOTES = `
  WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
  noted AS MATERIALIZED (
    SELECT n.transaction, to_timestamp(n.begun_at_ms / 1000) AS begun_at,
           to_timestamp(n.decided_at_ms / 1000) AS decided_at,
           to_timestamp(n.ended_at_ms / 1000) AS ended_at, n.version, n.timeout_ms::int AS timeout_ms,
           n.unregistered, n.principal, n.label, n.status, n.decision, n.cause::json AS cause,
           n.participants, n.branches::json AS branches, n.timeline::json AS timeline,
           n.takeover::json AS takeover
      FROM json_to_recordset($1::json)
           AS n(transaction text, principal text, label text, status text, decision text,
                unregistered boolean, cause text, participants text, timeout_ms float8,
                begun_at_ms float8, decided_at_ms float8, ended_at_ms float8, branches text,
                timeline text, takeover text, version bigint), lazily
  ), written AS (
    INSERT INTO concordat.journal AS j (transaction, begun_at, decided_at, ended_at, version,
      timeout_ms, unregistered, principal, label, status, decision, cause, participants, branches,
      timeline, takeover)
    SELECT * FROM noted
    ON CONFLICT (transaction) DO UPDATE SET
      principal = COALESCE(j.principal, EXCLUDED.principal),
      status = EXCLUDED.status,
      decision = EXCLUDED.decision,
      unregistered = EXCLUDED.unregistered,
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
  INSERT INTO concordat.journal_participant (participant, span)
  SELECT DISTINCT p.participant, left(n.transaction, ${SPAN}) AS span
    FROM noted n, string_to_table(n.participants, ',') AS p(participant)
   ORDER BY p.participant, span
  ON CONFLICT DO NOTHING`;

export const READ_STORY = `
  SELECT j.branches, j.takeover -> 'branches' AS taken_branches,
         j.takeover IS NULL AND j.status <> 'active' AS is_complete
    FROM concordat.journal j WHERE j.transaction = $1`;

/**
 * Which of these have no end on record. What the statement sees as ended was committed before it, and its own
 * commit is forced: on the same server, everything before it in the log is then durable too. The message only
 * makes it a transaction that has something to force.
 */
export const WITHOUT_END = `
  WITH forced AS MATERIALIZED (
    SELECT pg_logical_emit_message(true, 'concordat', 'ends on record')
  )
  SELECT asked.transaction
    FROM forced, unnest($1::text[]) AS asked(transaction)
    LEFT JOIN concordat.journal j ON j.transaction = asked.transaction
   WHERE j.ended_at IS NULL`;
