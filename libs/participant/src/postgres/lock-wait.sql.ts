/**
 * What is read about branches that wait for a lock while their time runs out, and how the wait is
 * ended. Guards "looking never hurts": the lock table is read once, under time-outs of its own, and a
 * session is signalled only if it waits for a lock at that moment.
 */

/**
 * Short: the branch that waits for the answer has to vote before its time is over. By its own isolation: a
 * role's default may be serialisable and deferrable, and wait for the very branches that are looked at.
 */
export const BEGIN_LOOKING_AT_WAITS =
  'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 200; SET LOCAL lock_timeout = 50; ' +
  'SET LOCAL enable_nestloop = off';

const TAG = `concat_ws('/', locktype, database, relation, page, tuple, virtualxid, transactionid,
                  classid, objid, objsubid)`;

/** A prepared transaction's gid, by the virtual transaction that leads to its locks. */
const PREPARED = `prepared AS (
  SELECT p.gid, l.virtualtransaction AS vx
    FROM pg_prepared_xacts p
    JOIN locks l ON l.locktype = 'transactionid' AND l.pid IS NULL AND l.granted
     AND l.transactionid = p.transaction)`;

/** Locks as `l`, of prepared transactions `p` and sessions `s`: what waits are read from. */
const SEEN_LOCKS = `coalesce(json_agg(json_build_object(
         'tag', l.tag, 'kind', l.locktype, 'relation', l.relation::regclass::text,
         'page', l.page, 'tuple', l.tuple, 'mode', l.mode, 'granted', l.granted,
         'pid', l.pid, 'transaction', l.virtualtransaction, 'gid', p.gid,
         'since', (extract(epoch FROM l.waitstart) * 1000000)::int8::text,
         'waitingMs', greatest(0, extract(epoch FROM clock_timestamp() - l.waitstart) * 1000)::int8,
         'name', s.application_name, 'user', s.usename)), '[]') AS locks`;

/**
 * $1 process ids. All locks of the kind that one of them waits for, held or waited for by anybody, and
 * the rows on which they wait. One row of one look at the lock table: who waits for whom follows from it.
 */
export const LOCKS_WAITED_FOR = `
WITH locks AS MATERIALIZED (SELECT *, ${TAG} AS tag FROM pg_locks),
wanted AS MATERIALIZED (
  SELECT DISTINCT tag FROM locks WHERE NOT granted AND pid = ANY ($1::int[])),
${PREPARED}
SELECT ${SEEN_LOCKS}
  FROM locks l
  LEFT JOIN prepared p ON l.pid IS NULL AND p.vx = l.virtualtransaction
  LEFT JOIN pg_stat_activity s ON s.pid = l.pid
 WHERE l.tag IN (SELECT tag FROM wanted)
    OR (l.locktype = 'tuple' AND l.granted AND l.pid = ANY ($1::int[]))`;

/**
 * $1 waits at most, the longest. All locks in this database that a session waits for, held or waited for, and
 * the rows on which they wait: as {@link LOCKS_WAITED_FOR}, of all sessions. Of one lock at most $1 that
 * hold it and $1 that wait are read. `more`: not all that wait were looked at.
 */
export const LOCKS_WAITED_FOR_BY_ANYBODY = `
WITH locks AS MATERIALIZED (SELECT *, ${TAG} AS tag FROM pg_locks),
waiting AS MATERIALIZED (
  SELECT w.pid, w.tag, count(*) OVER () AS whole
    FROM locks w JOIN pg_stat_activity a ON a.pid = w.pid
   WHERE NOT w.granted AND a.datname = current_database()
   ORDER BY w.waitstart NULLS LAST, w.pid LIMIT $1),
${PREPARED},
ranked AS (
  SELECT l.*, row_number() OVER (
           PARTITION BY l.tag, l.granted ORDER BY l.waitstart NULLS LAST, l.pid) AS nth
    FROM locks l
   WHERE l.tag IN (SELECT tag FROM waiting)
      OR (l.locktype = 'tuple' AND l.granted AND l.pid IN (SELECT pid FROM waiting)))
SELECT coalesce((SELECT max(whole) FROM waiting), 0) > $1 AS more, ${SEEN_LOCKS}
  FROM ranked l
  LEFT JOIN prepared p ON l.pid IS NULL AND p.vx = l.virtualtransaction
  LEFT JOIN pg_stat_activity s ON s.pid = l.pid
 WHERE l.nth <= $1`;

/**
 * $1 process ids. Which of them wait for which lock, and who holds it. The first waiter for a row waits
 * for a transaction id and holds the row's `tuple` lock meanwhile, which names the row; the next ones
 * wait for that `tuple` lock, so the wait of its holder is looked at as well. A holder without a process
 * is a prepared transaction: the row with which it locks its own id leads to its gid, also where it is a
 * subtransaction of it that is waited for.
 */
export const WAITS_OF = `
WITH locks AS MATERIALIZED (SELECT *, ${TAG} AS tag FROM pg_locks),
asked AS MATERIALIZED (SELECT * FROM locks WHERE NOT granted AND pid = ANY ($1::int[])),
wanted AS (
  SELECT pid AS asker, tag, mode, 1 AS nth FROM asked
  UNION ALL
  SELECT a.pid, n.tag, n.mode, 0
    FROM asked a
    JOIN locks t ON t.tag = a.tag AND t.granted AND t.pid <> a.pid
    JOIN locks n ON n.pid = t.pid AND NOT n.granted
   WHERE a.locktype = 'tuple'),
${PREPARED},
held AS (
  SELECT w.asker, w.nth, w.mode AS wanted, h.pid, h.mode, p.gid, s.application_name AS application
    FROM wanted w
    JOIN locks h ON h.tag = w.tag AND h.granted AND h.pid IS DISTINCT FROM w.asker
    LEFT JOIN prepared p ON h.pid IS NULL AND p.vx = h.virtualtransaction
    LEFT JOIN pg_stat_activity s ON s.pid = h.pid
   WHERE h.pid IS NOT NULL OR p.gid IS NOT NULL)
SELECT coalesce(json_agg(json_build_object(
         'pid', a.pid, 'kind', a.locktype,
         'relation', coalesce(a.relation, place.relation)::regclass::text,
         'page', coalesce(a.page, place.page), 'tuple', coalesce(a.tuple, place.tuple),
         'holders', (SELECT coalesce(json_agg(json_build_object(
                              'wanted', h.wanted, 'mode', h.mode, 'pid', h.pid, 'gid', h.gid,
                              'application', h.application) ORDER BY h.nth, h.pid), '[]')
                       FROM (SELECT * FROM held WHERE asker = a.pid
                              ORDER BY nth, pid LIMIT 50) h))), '[]') AS waits
  FROM asked a
  LEFT JOIN locks place ON a.locktype = 'transactionid' AND place.locktype = 'tuple'
   AND place.granted AND place.pid = a.pid`;

/** $1 process ids. Ends the waits of those that still wait for a lock, and says which these were. */
export const END_WAITS = `
SELECT pid FROM (
  SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid = ANY ($1::int[])) waiting
 WHERE pg_cancel_backend(pid)`;
