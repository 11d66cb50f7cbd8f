/**
 * The statements of the decision register. Guards protocol §3: write-once by primary key, one commit
 * per idempotency key by unique index, and nothing below the pruning mark is ever decided again.
 */
import { IS_ON_STANDBYS } from '../standby-wait.js';

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

/** One decision `d` with its heuristics, as {@link DecisionRow}. */
export const DECISION_COLUMNS = `
  d.transaction, d.decision, d.finisher, d.principal, d.branches, d.idempotency_key, d.fingerprint, d.answer,
  d.note -> 'trace' AS trace,
  ${MS('d.decided_at')} AS decided_at_ms, ${MS('d.ended_at')} AS ended_at_ms, d.outcome,
  (SELECT json_agg(json_build_object(
            'branch', h.branch, 'participant', h.participant, 'evidence', h.evidence)
          ORDER BY length(h.branch), h.branch)
     FROM concordat.heuristic h WHERE h.transaction = d.transaction) AS heuristics`;

/**
 * One flush for all. What another session is inserting at this moment is waited for, not overtaken.
 * Reading the mark here holds a lock that raising the mark waits for (see pruning.sql.ts), so no
 * insert that looked below an old mark can still be under way when rows are deleted.
 *
 * A copy of what a participant has committed in one phase is true at any age, decides nothing, and has ended: nothing
 * of it is left to finish.
 *
 * $1 JSON, a list of rows. A list of text per column costs a quarter to a third more on both sides.
 */
export const INSERT_DECISIONS = `
  INSERT INTO concordat.decision (transaction, decision, finisher, branches, idempotency_key,
                                  fingerprint, answer, note, principal, ended_at, outcome)
  SELECT p.transaction, p.decision, p.finisher, p.branches::jsonb, p.key, p.fingerprint,
         p.answer::json, p.note::json, p.principal,
         CASE WHEN p.decision = 'abort' OR p.copy THEN now() END,
         CASE WHEN p.decision = 'abort' THEN 'aborted' WHEN p.copy THEN 'committed' END
    FROM json_to_recordset($1::json)
         AS p(transaction text, decision text, finisher text, branches text, key text,
              fingerprint text, answer text, note text, principal text, copy boolean)
   WHERE p.transaction COLLATE "C" >= (SELECT below FROM concordat.pruning_mark)
      OR (p.copy AND p.decision = 'commit')
  ON CONFLICT DO NOTHING
  RETURNING transaction, ${MS('decided_at')} AS decided_at_ms`;

/**
 * What blocked the proposals that were not inserted: their own row, the holder of their key,
 * or the mark. A statement of its own, because the snapshot of the insert may be older than what won.
 */
export const FIND_STANDING = `
  SELECT asked.transaction AS asked, asked.transaction COLLATE "C" < mark.below AS below_mark,
         found.*
    FROM unnest($1::text[], $2::text[]) AS asked(transaction, key)
   CROSS JOIN concordat.pruning_mark mark
    LEFT JOIN LATERAL (
      SELECT ${DECISION_COLUMNS} FROM concordat.decision d
       WHERE d.transaction = asked.transaction AND ${IS_ON_STANDBYS}
      UNION ALL
      SELECT ${DECISION_COLUMNS} FROM concordat.decision d
       WHERE d.idempotency_key = asked.key AND d.transaction <> asked.transaction AND ${IS_ON_STANDBYS}
    ) found ON true`;

export const READ_DECISIONS = `
  SELECT ${DECISION_COLUMNS} FROM concordat.decision d
   WHERE d.transaction = ANY ($1::text[]) AND ${IS_ON_STANDBYS}`;

export const READ_HOLDER = `
  SELECT ${DECISION_COLUMNS} FROM concordat.decision d
   WHERE d.idempotency_key = $1 AND ${IS_ON_STANDBYS}`;

/**
 * An abort is recorded first where no decision is; both rows become durable together or not at all, and those that
 * were there already are durable as well. $8 whether its participant decides it (protocol §4.6): then no abort is
 * recorded, since what is found is that no process knows, and its story ends with that.
 */
export const RECORD_HEURISTIC = `
  WITH abort_stands AS (
    INSERT INTO concordat.decision (transaction, decision, finisher, branches, principal, ended_at,
                                    outcome)
    SELECT $1::text, 'abort', $2::text, '[]', $7::text, now(), 'aborted'
     WHERE $1::text COLLATE "C" >= (SELECT below FROM concordat.pruning_mark) AND NOT $8::boolean
    ON CONFLICT DO NOTHING
  ), told AS (
    UPDATE concordat.journal j SET status = 'heuristic-hazard', ended_at = now(), version = j.version + 1
     WHERE $8::boolean AND j.transaction = $1 AND j.ended_at IS NULL
       AND NOT EXISTS (SELECT FROM concordat.decision d WHERE d.transaction = $1)
  )
  INSERT INTO concordat.heuristic (transaction, branch, participant, decision, evidence)
  SELECT $1::text, $3, $4, $5, $6::json WHERE ${IS_ON_STANDBYS}
  ON CONFLICT DO NOTHING`;

/** $4 the branches that were looked at, or null for all: what was found since stays open. */
export const RESOLVE_HEURISTIC = `
  UPDATE concordat.heuristic SET resolved_at = now(), resolved_by = $2, resolution = $3
   WHERE transaction = $1 AND resolved_at IS NULL
     AND ($4::text[] IS NULL OR branch = ANY ($4::text[]))
  RETURNING branch`;

/**
 * $3 whole milliseconds after the decision, as its finisher measured and reports them: exactly that value is
 * written. A wrong clock cannot keep a row for longer than a second.
 *
 * Never forced: the setting holds for this statement's transaction only, so it cannot leak into a
 * session that decides, not even through a pooler.
 */
export const NOTE_ENDED = `
  WITH lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
  UPDATE concordat.decision d
     SET ended_at = LEAST(d.decided_at + n.after_ms * interval '1 ms', now() + interval '1 s'),
         outcome = n.outcome
    FROM unnest($1::text[], $2::text[], $3::float8[]) AS n(transaction, outcome, after_ms), lazily
   WHERE d.transaction = n.transaction AND d.ended_at IS NULL`;

export const UNFINISHED_FINISHERS = `
  SELECT DISTINCT finisher FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL`;

/** Oldest first; rows that another coordinator is claiming right now are left to it. */
export const CLAIM_UNFINISHED = `
  WITH picked AS MATERIALIZED (
    SELECT transaction FROM concordat.decision
     WHERE decision = 'commit' AND ended_at IS NULL AND finisher = $1
     ORDER BY transaction LIMIT $3
       FOR UPDATE SKIP LOCKED
  )
  UPDATE concordat.decision d SET finisher = $2 FROM picked
   WHERE d.transaction = picked.transaction
  RETURNING ${DECISION_COLUMNS}`;

export const OLDEST_UNFINISHED = `
  SELECT transaction FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL
   ORDER BY transaction LIMIT 1`;
