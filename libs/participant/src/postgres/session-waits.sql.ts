/**
 * What is read about sessions that wait for locks while others need them. Guards "looking never hurts":
 * the lock table is read once, for all waiters, under a time-out of its own. By its own isolation: a
 * role's default may be serialisable and deferrable, and wait for the very branches that are looked at.
 */
const BEGIN_LOOKING =
  'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 500; SET LOCAL enable_nestloop = off';

/**
 * Every session that waits for a lock, and a transaction that holds it: sessions and prepared
 * transactions alike are identified by their virtual transaction, which no other ever has. One holder is
 * enough: those that wait for the same lock see the same.
 */
const WAITS = `
WITH locks AS MATERIALIZED (
  SELECT pid, granted, virtualtransaction AS vx,
         concat_ws('/', locktype, database, relation, page, tuple, virtualxid, transactionid,
                   classid, objid, objsubid) AS tag
    FROM pg_locks)
SELECT w.pid, w.vx, coalesce(min(h.vx), w.tag) AS behind
  FROM locks w
  LEFT JOIN locks h ON h.tag = w.tag AND h.granted AND h.vx <> w.vx
 WHERE NOT w.granted
 GROUP BY w.pid, w.vx, w.tag`;

export const LOOK_AT_WAITS = `${BEGIN_LOOKING};${WAITS}; COMMIT`;
/** Where the waits are among the answers. */
export const WAITS_AT = 3;

/** Ends the waits of those that still wait for a lock, and says which these were. */
export function endWaitsSql(pids: readonly number[]): string {
  return `${BEGIN_LOOKING};
SELECT pid FROM (
  SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid IN (${pids.map(Number).join(', ')})) waiting
 WHERE pg_cancel_backend(pid); COMMIT`;
}
