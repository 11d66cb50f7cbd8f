/**
 * What is read when an operator or a coordinator looks closer: pages of prepared branches and of
 * outcome rows, what branches hold, who waits for them. Guards "looking never hurts": each statement
 * reads the lock table once, has a limit on every list, and runs under time-outs of its own; and
 * protocol §5, own prefix, own database, primary only.
 */
import { identifier } from '../postgres/branch.sql.js';
import { OWN_BRANCHES, isAlone } from '../postgres/own-branches.sql.js';

/**
 * Read-only, and never waiting long: an inspection must not block another session. The planner
 * takes the lock table for a few rows, and a nested loop over ten thousand branches takes minutes.
 */
export const BEGIN_LOOKING =
  'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 4000; SET LOCAL lock_timeout = 500; ' +
  'SET LOCAL enable_nestloop = off';
export const END_LOOKING = 'COMMIT';

const HELD_MS = (prepared: string): string =>
  `floor(extract(epoch FROM clock_timestamp() - ${prepared}) * 1000)::int8`;

/** $1 gid prefix, $2 outcome table, $3 gid to go on after, $4 rows at most. */
export const PREPARED_PAGE = `
WITH ${OWN_BRANCHES}
SELECT pg_is_in_recovery() AS standby, coalesce(json_agg(page), '[]') AS entries
  FROM (SELECT gid, ${HELD_MS('prepared')} AS "heldMs" FROM own
         WHERE gid COLLATE "C" > $3 ORDER BY gid COLLATE "C" LIMIT $4) AS page`;

/**
 * $1 array of gids. By gid alone: somebody names a branch of this service, and a branch that is being
 * prepared at this moment must not be missed.
 */
export const STILL_PREPARED = `
SELECT pg_is_in_recovery() AS standby, coalesce(json_agg(gid), '[]') AS gids
  FROM pg_prepared_xacts WHERE database = current_database() AND gid = ANY ($1::text[])`;

/**
 * $1 transaction, $2 branch to go on after, $3 rows at most. Tombstones are read and left out by the
 * caller: left out here, a page could read the whole table for the few rows it is after.
 */
export function outcomePageSql(schema: string): string {
  return `
SELECT pg_is_in_recovery() AS standby, coalesce(json_agg(page), '[]') AS rows
  FROM (SELECT transaction, branch::text AS branch, kind, participant
          FROM ${identifier(schema)}.concordat_branch
         WHERE (transaction, branch) > ($1, $2::smallint)
         ORDER BY transaction, branch LIMIT $3) AS page`;
}

/** The branches $1 names by prefix, each with the virtual transaction that leads to its locks. */
const BRANCHES = `
  SELECT p.gid, p.prepared, p.transaction AS xid, l.virtualtransaction AS vx
    FROM pg_prepared_xacts p
    JOIN locks l ON l.locktype = 'transactionid' AND l.pid IS NULL AND l.granted
     AND l.transactionid = p.transaction
   WHERE p.database = current_database() AND starts_with(p.gid, $1)`;

/** Of those, the ones of this service, whose outcome table is $4. */
const OWN = `
     AND (${isAlone('$4')} OR l.virtualtransaction IN (SELECT virtualtransaction FROM locks
           WHERE locktype = 'relation' AND relation = to_regclass($4)::oid)) IS TRUE`;

/**
 * $1 gid prefix, $2 gids or null for the oldest, $3 branches at most, $4 outcome table, $5 relations of
 * a branch at most. Tables only: indexes come with them, and every branch locks the outcome table.
 */
export const HELD_LOCKS = `
WITH locks AS MATERIALIZED (
  SELECT locktype, database, relation, transactionid, virtualtransaction, pid, mode, granted
    FROM pg_locks WHERE pid IS NULL AND granted),
branches AS MATERIALIZED (${BRANCHES}${OWN}
     AND ($2::text[] IS NULL OR p.gid = ANY ($2::text[]))
   ORDER BY p.prepared LIMIT $3),
held AS (
  SELECT b.gid, l.relation::regclass::text AS relation, l.mode,
         row_number() OVER (PARTITION BY b.gid ORDER BY l.relation::regclass::text, l.mode) AS nth
    FROM branches b
    JOIN locks l ON l.virtualtransaction = b.vx
    JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'f', 'S')
   WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND l.relation IS DISTINCT FROM to_regclass($4)::oid)
SELECT b.gid, age(b.xid) AS "xidAge", ${HELD_MS('b.prepared')} AS "heldMs",
       coalesce(t.locks, '[]') AS locks, coalesce(t.relations, 0) > $5 AS more
  FROM branches b
  LEFT JOIN (SELECT gid, max(nth) AS relations,
                    json_agg(json_build_object('relation', relation, 'mode', mode) ORDER BY nth)
                      FILTER (WHERE nth <= $5) AS locks
               FROM held GROUP BY gid) t ON t.gid = b.gid
 ORDER BY b.prepared`;

/**
 * $1 gid prefix, $2 waiters at most, $3 gids to be named among the holders in any case, $4 holders of
 * one lock at most. Who waits, for which lock, who is ahead, and which branches hold that lock.
 *
 * Only the first waiter for a row waits for the branch's transaction id; the second waits for the
 * first one's `tuple` lock, and a waiter for the whole relation for neither. So every session that
 * waits is read, with what `pg_blocking_pids` says, and the caller follows the chain.
 */
export const WAITING = `
WITH locks AS MATERIALIZED (
  SELECT *, concat_ws('/', locktype, database, relation, page, tuple, virtualxid, transactionid,
                      classid, objid, objsubid) AS tag
    FROM pg_locks WHERE NOT granted OR pid IS NULL OR locktype = 'tuple'),
branches AS MATERIALIZED (${BRANCHES}),
waiting AS MATERIALIZED (
  SELECT * FROM locks WHERE NOT granted AND pid IS NOT NULL
   ORDER BY waitstart NULLS LAST, pid LIMIT $2),
holding AS (
  SELECT h.tag, b.gid, h.mode, row_number() OVER (
           PARTITION BY h.tag ORDER BY b.gid = ANY ($3::text[]) DESC, b.prepared) AS nth
    FROM locks h JOIN branches b ON b.vx = h.virtualtransaction
   WHERE h.pid IS NULL AND h.granted AND h.tag IN (SELECT tag FROM waiting)),
queue AS (
  SELECT w.pid, w.tag, w.mode, pg_blocking_pids(w.pid) AS ahead,
         greatest(0, floor(extract(epoch FROM clock_timestamp() - w.waitstart) * 1000))::int8
           AS "waitingMs",
         coalesce(w.relation, place.relation)::regclass::text AS relation,
         coalesce(w.page, place.page) AS page, coalesce(w.tuple, place.tuple) AS tuple,
         a.application_name AS application,
         CASE WHEN may.see THEN left(a.query, 2000) END AS query
    FROM waiting w
   CROSS JOIN (SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS see) may
    LEFT JOIN locks place ON w.locktype = 'transactionid' AND place.locktype = 'tuple'
     AND place.granted AND place.pid = w.pid
    LEFT JOIN pg_stat_activity a ON a.pid = w.pid
   WHERE a.datname = current_database())
SELECT (SELECT count(*)::int FROM locks WHERE NOT granted AND pid IS NOT NULL) AS waiting,
       coalesce((SELECT json_agg(queue) FROM queue), '[]') AS queue,
       coalesce((SELECT json_agg(json_build_object('tag', tag, 'gid', gid, 'mode', mode))
                   FROM holding WHERE nth <= $4), '[]') AS holders`;

/**
 * What the checks of a running participant want to know besides the doctor's. $1 gid prefix, $2 outcome
 * table.
 */
export const CHECK_FACTS = `
WITH ${OWN_BRANCHES}
SELECT current_setting('server_version') AS version,
       current_database() AS database,
       current_user AS role,
       pg_backend_pid() AS backend,
       pg_is_in_recovery() AS standby,
       current_setting('max_prepared_transactions')::int AS "slotsMax",
       (SELECT count(*)::int FROM pg_prepared_xacts) AS "slotsUsed",
       current_setting('max_connections')::int + current_setting('max_worker_processes')::int
         + current_setting('max_wal_senders')::int
         + coalesce(current_setting('autovacuum_worker_slots', true),
                    current_setting('autovacuum_max_workers'))::int AS "sessionsMax",
       current_setting('prepared_orphaned_transaction_timeout', true) AS reaper,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS monitor,
       (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS "clockMs",
       (SELECT ${HELD_MS('min(prepared)')} FROM own) AS "oldestMs"`;

export const DATABASE_FACTS = `
SELECT current_database() AS name, current_setting('server_version') AS version`;
