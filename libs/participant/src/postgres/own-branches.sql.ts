/**
 * Which prepared branches are this service's own, whoever shares its database, role or server. Guards
 * protocol §5: a service lists, judges and finishes its own branches only.
 *
 * A branch has written its outcome row, so it holds a lock on the outcome table of its service, and on
 * no other's. A gid does not say whose it is. `pg_prepared_xacts` is read first and `pg_locks` second:
 * a branch that is being prepared at that moment can be missed, and is found by the next look; one that
 * is finished meanwhile is left out. So absence from this list proves nothing, and nothing is concluded
 * from it. Locks are looked for whether a backend holds them or not: for an instant after PREPARE the
 * backend still does.
 *
 * The comparisons stay hashed sub-plans (`IS TRUE` keeps the planner from joining): it takes both views
 * for a few rows, and a nested loop over ten thousand branches takes minutes.
 */

/** $1 gid prefix, $2 outcome table. Gives `own`: gid, xid, prepared, owner. */
export const OWN_BRANCHES = `
prepared AS MATERIALIZED (
  SELECT gid, transaction AS xid, prepared, owner::text AS owner FROM pg_prepared_xacts
   WHERE database = current_database() AND starts_with(gid, $1)),
marks AS MATERIALIZED (
  SELECT locktype, transactionid, virtualtransaction FROM pg_locks
   WHERE granted AND EXISTS (SELECT FROM prepared)
     AND (locktype = 'transactionid'
      OR (locktype = 'relation' AND relation = to_regclass($2)::oid
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))),
own AS MATERIALIZED (
  SELECT * FROM prepared WHERE (xid IN (
    SELECT transactionid FROM marks WHERE locktype = 'transactionid' AND (virtualtransaction IN (
      SELECT virtualtransaction FROM marks WHERE locktype = 'relation')) IS TRUE)) IS TRUE)`;
