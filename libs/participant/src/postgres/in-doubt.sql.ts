/** What is asked before a cluster is known: which clusters have anything prepared in this database. */

/**
 * `standby` comes with every answer, also an empty one: a standby shows no prepared transactions.
 * A probe is no branch: the last part of a branch's gid is a number.
 */
export const PREPARED_CLUSTERS = `
SELECT pg_is_in_recovery() AS standby, found.cluster
  FROM (SELECT) AS once
  LEFT JOIN (SELECT DISTINCT split_part(gid, ':', 2) AS cluster FROM pg_prepared_xacts
              WHERE database = current_database() AND gid ~ '^cc:[a-z0-9]{8}:[^:]+:[0-9]+$') AS found
    ON true`;
