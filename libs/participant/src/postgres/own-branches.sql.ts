/**
 * Which prepared branches are this service's own, also where services share a database, role or server.
 * Guards protocol §5: a service lists, judges and finishes its own branches only.
 *
 * Where this is the only outcome table of the database, every branch of the cluster in it is this
 * service's. Where there are others, locks show it: a branch has written its outcome row, so it holds a lock
 * on the outcome table of its service, and on no other's. A gid does not say whose it is.
 * `pg_prepared_xacts` is read first and `pg_locks` second: a branch that is being prepared at that moment can
 * be missed, and is found by the next look; one that is finished meanwhile is left out. So absence from this
 * list proves nothing, and nothing is concluded from it. Locks are looked for whether a backend holds them or not: for an instant after PREPARE the
 * backend still does.
 *
 * The comparisons stay hashed sub-plans (`IS TRUE` keeps the planner from joining): it takes both views
 * for a few rows, and a nested loop over ten thousand branches takes minutes.
 */

/** Whether no other service has its outcome table in this database. */
export const isAlone = (table: string): string =>
  `NOT EXISTS (SELECT FROM pg_class WHERE relname = 'concordat_branch' AND relkind IN ('r', 'p') ` +
  `AND oid IS DISTINCT FROM to_regclass(${table})::oid)`;

/** $1 gid prefix, $2 outcome table. Gives `own`: gid, xid, prepared, owner. A left probe is no branch. */
export const OWN_BRANCHES = `
place AS MATERIALIZED (SELECT ${isAlone('$2')} AS alone),
prepared AS MATERIALIZED (
  SELECT gid, transaction AS xid, prepared, owner::text AS owner FROM pg_prepared_xacts
   WHERE database = current_database() AND starts_with(gid, $1)
     AND NOT starts_with(gid, $1 || 'probe-')),
marks AS MATERIALIZED (
  SELECT locktype, transactionid, virtualtransaction FROM pg_locks
   WHERE granted AND EXISTS (SELECT FROM prepared) AND NOT (SELECT alone FROM place)
     AND (locktype = 'transactionid'
      OR (locktype = 'relation' AND relation = to_regclass($2)::oid
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))),
own AS MATERIALIZED (
  SELECT * FROM prepared WHERE (SELECT alone FROM place) OR (xid IN (
    SELECT transactionid FROM marks WHERE locktype = 'transactionid' AND (virtualtransaction IN (
      SELECT virtualtransaction FROM marks WHERE locktype = 'relation')) IS TRUE)) IS TRUE)`;
