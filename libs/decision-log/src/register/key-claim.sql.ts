/**
 * Claims of idempotency keys (ADR 38). Guards nothing: a lost claim lets two coordinators run one request,
 * of which the unique column of decisions lets one commit.
 */
import { IS_ON_STANDBYS } from '../standby-wait.js';
import { DECISION_COLUMNS } from './decision.sql.js';

/**
 * $4 the claim that this one may replace, or null. One statement for the question whether the key is taken
 * permanently and for the claim. An existing claim is locked, and so returned as it is now and not as it was
 * when the statement began. Only an unlogged table is written: nothing is flushed for it.
 */
export const CLAIM_KEY = `
  WITH holder AS MATERIALIZED (
    SELECT ${DECISION_COLUMNS} FROM concordat.decision d
     WHERE d.idempotency_key = $1 AND ${IS_ON_STANDBYS}
  ), claim AS (
    INSERT INTO concordat.key_claim AS c (key, fingerprint, claimant)
    SELECT $1::text, $2::text, $3::text WHERE NOT EXISTS (SELECT FROM holder)
    ON CONFLICT (key) DO UPDATE
       SET fingerprint = CASE c.claimant WHEN $4::text THEN EXCLUDED.fingerprint ELSE c.fingerprint END,
           claimant = CASE c.claimant WHEN $4::text THEN EXCLUDED.claimant ELSE c.claimant END,
           since = CASE c.claimant WHEN $4::text THEN EXCLUDED.since ELSE c.since END
    RETURNING claimant AS claimed_by, fingerprint AS claimed_for
  )
  SELECT holder.*, claim.*
    FROM (SELECT) one LEFT JOIN holder ON true LEFT JOIN claim ON true`;

export const UNCLAIM_KEYS = `
  DELETE FROM concordat.key_claim c
   USING unnest($1::text[], $2::text[]) AS ended(claimant, key)
   WHERE c.key = ended.key AND c.claimant = ended.claimant`;

/** $1 the pruning mark: claims that are so old were left by coordinators that died. */
export const DELETE_CLAIMS = `
  DELETE FROM concordat.key_claim WHERE claimant < $1::text COLLATE "C"`;
