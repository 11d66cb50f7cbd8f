/**
 * What is read about prepared transactions: the inventory that recovery works from, lock impact for
 * operators, and what the start-up check wants to know. Guards protocol §5: own cluster prefix, own
 * database, own outcome table, and only on a primary, tested in the same statement, since a standby
 * shows no rows.
 */
import { OWN_BRANCHES } from './own-branches.sql.js';

/**
 * $1 gid prefix, $2 outcome table. `standby` is evaluated first: if the server is promoted meanwhile, the list is
 * refused once and read again, never taken for empty.
 */
export const LIST_PREPARED = `
WITH ${OWN_BRANCHES}
SELECT pg_is_in_recovery() AS standby,
       current_setting('max_prepared_transactions')::int AS slots_max,
       (SELECT count(*)::int FROM pg_prepared_xacts) AS slots_used,
       (SELECT coalesce(json_agg(json_build_object(
                 'gid', gid,
                 'ageMs', floor(extract(epoch FROM clock_timestamp() - prepared) * 1000))), '[]')
          FROM own) AS entries`;

/**
 * $1 gid prefix, $2 outcome table, $3 rows at most. The widely copied join on '-1/' || xid finds nothing until the
 * server has restarted: instead the row with which a prepared transaction locks its own id leads to
 * its virtual transaction, and that to all its locks. Right before and after a crash.
 */
export const LOCK_IMPACT = `
WITH ${OWN_BRANCHES},
px AS (
  SELECT p.gid, p.xid, p.prepared, l.virtualtransaction AS vx
    FROM own p
    JOIN pg_locks l ON l.locktype = 'transactionid' AND l.pid IS NULL
     AND l.transactionid = p.xid AND l.granted
   ORDER BY p.prepared LIMIT $3)
SELECT px.gid, age(px.xid) AS xid_age,
       floor(extract(epoch FROM clock_timestamp() - px.prepared) * 1000)::int8 AS held_ms,
       coalesce(json_agg(json_build_object('relation', l.relation::regclass::text, 'mode', l.mode))
         FILTER (WHERE l.relation IS NOT NULL), '[]') AS locks,
       (SELECT count(*)::int FROM pg_locks w
         WHERE w.locktype = 'transactionid' AND w.transactionid = px.xid AND NOT w.granted) AS waiting
  FROM px LEFT JOIN pg_locks l ON l.virtualtransaction = px.vx AND l.pid IS NULL
 GROUP BY px.gid, px.xid, px.prepared
 ORDER BY px.prepared`;

export const SERVER_FACTS = `
SELECT current_setting('server_version_num')::int AS version_number,
       current_setting('server_version') AS version,
       version() AS banner,
       pg_is_in_recovery() AS standby,
       current_setting('max_prepared_transactions')::int AS slots_max,
       (SELECT count(*)::int FROM pg_prepared_xacts) AS slots_used,
       current_setting('fsync') AS fsync,
       current_setting('prepared_orphaned_transaction_timeout', true) AS reaper,
       current_setting('lc_messages') AS language,
       current_setting('default_transaction_read_only') AS read_only,
       current_user AS role,
       current_database() AS database,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser`;

/** Whether we may act as `owner`. Since Postgres 16 a member may be without that right. */
const MAY_BECOME = `pg_has_role(session_user, owner,
  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`;

/** $1 gid prefix, $2 outcome table. Own prepared branches that another role owns. */
export const FOREIGN_OWNERS = `
WITH ${OWN_BRANCHES}
SELECT gid, owner, ${MAY_BECOME} AS member FROM own
 WHERE owner <> current_user ORDER BY prepared LIMIT 5`;

/** $1 gid. Who prepared it. */
export const OWNER_OF = `SELECT owner::text AS owner FROM pg_prepared_xacts WHERE gid = $1`;

/** What a branch needs of a connection, in small: a block opened along with a statement, and JSON read. */
export const DRIVER_TRIAL =
  `BEGIN; SELECT 'true'::json AS trial, ` +
  `pg_catalog.array_to_json(pg_catalog.current_schemas(true)) AS schemas`;

/** $1 what it answers. */
export const FLIGHT_TRIAL = { text: 'SELECT $1::text AS trial', columns: ['trial'] };

/** $1 quoted table name. */
export const TABLE_RIGHTS = `
SELECT has_table_privilege(to_regclass($1), 'SELECT') AS may_select,
       has_table_privilege(to_regclass($1), 'INSERT') AS may_insert,
       has_table_privilege(to_regclass($1), 'DELETE') AS may_delete,
       has_table_privilege(to_regclass($2), 'SELECT') AND
       has_table_privilege(to_regclass($2), 'INSERT') AND
       has_table_privilege(to_regclass($2), 'UPDATE') AS may_close,
       row_security_active(to_regclass($1)) OR row_security_active(to_regclass($2)) AS filtered,
       to_regclass($1) IS NOT NULL AS present, to_regclass($2) IS NOT NULL AS present_too`;
