/** Statements that read whole transactions by their ids, and the counts that alerts look at. */

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

const HEURISTICS = `
  (SELECT json_agg(json_build_object(
            'branch', h.branch, 'participant', h.participant, 'evidence', h.evidence,
            'recordedAtMs', ${MS('h.recorded_at')},
            'resolution', CASE WHEN h.resolved_at IS NOT NULL THEN json_build_object(
              'by', h.resolved_by, 'reason', h.resolution, 'atMs', ${MS('h.resolved_at')}) END)
          ORDER BY length(h.branch), h.branch)
     FROM concordat.heuristic h WHERE h.transaction = asked.transaction) AS heuristics`;

const select = (timeline: string): string => `
  SELECT asked.transaction,
         j.principal AS j_principal, j.label AS j_label, j.status AS j_status,
         j.decision AS j_decision, j.cause AS j_cause,
         j.timeout_ms AS j_timeout_ms, ${MS('j.begun_at')} AS j_begun_at_ms,
         ${MS('j.decided_at')} AS j_decided_at_ms, ${MS('j.ended_at')} AS j_ended_at_ms,
         j.branches AS j_branches, ${timeline} j.takeover AS j_takeover, j.version AS j_version,
         d.decision AS d_decision, d.finisher AS d_finisher, d.principal AS d_principal, d.branches AS d_branches,
         d.idempotency_key AS d_key, d.fingerprint AS d_fingerprint, d.note AS d_note,
         ${MS('d.decided_at')} AS d_decided_at_ms, ${MS('d.ended_at')} AS d_ended_at_ms,
         ${HEURISTICS}
    FROM unnest($1::text[]) AS asked(transaction)
    LEFT JOIN concordat.journal j ON j.transaction = asked.transaction
    LEFT JOIN concordat.decision d ON d.transaction = asked.transaction`;

export const READ_RECORDS = select('j.timeline AS j_timeline,');
/** Of what asks for its decision, the timeline says since when. */
export const READ_SUMMARIES = select(
  `CASE WHEN j.status = 'deciding' THEN j.timeline END AS j_timeline,`,
);

/** The ends of what is on record; null without any. Decisions may be kept for longer than their stories. */
export const FIRST_AND_LAST = `
  SELECT LEAST((SELECT j.transaction FROM concordat.journal j ORDER BY j.transaction LIMIT 1),
               (SELECT d.transaction FROM concordat.decision d ORDER BY d.transaction LIMIT 1)) AS first,
         GREATEST((SELECT j.transaction FROM concordat.journal j ORDER BY j.transaction DESC LIMIT 1),
                  (SELECT d.transaction FROM concordat.decision d ORDER BY d.transaction DESC LIMIT 1)) AS last`;

/** In milliseconds, for the transaction that it is said in. */
export const LIMIT_TIME = `SELECT set_config('statement_timeout', $1, true)`;

/** What the open notes of one incarnation leave behind when it dies. */
/** $1 incarnation, which is in the middle of an id that names its participant; $2 at most, $3 behind this one. */
export const ABANDONED = `
  SELECT j.transaction FROM concordat.journal j
   WHERE j.ended_at IS NULL AND substr(j.transaction, 28, 8) = $1 AND j.transaction > $3
     AND NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = j.transaction)
   ORDER BY j.transaction LIMIT $2`;

export const ATTENTION = `
  SELECT (SELECT count(*)::int FROM concordat.decision
           WHERE decision = 'commit' AND ended_at IS NULL) AS unfinished_commits,
         (SELECT (extract(epoch FROM now() - min(decided_at)) * 1000)::float8
            FROM concordat.decision
           WHERE decision = 'commit' AND ended_at IS NULL) AS oldest_unfinished_ms,
         (SELECT count(DISTINCT transaction)::int FROM concordat.heuristic
           WHERE resolved_at IS NULL) AS unresolved_heuristics`;
