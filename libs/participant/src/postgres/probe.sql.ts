/**
 * Statements about probes, the transactions that the start-up check prepares to see whether it can. Guards
 * that a probe is distinguished from a branch (the protocol's grammar of gids does not match one), and one that
 * its process left behind from one that is just being tried: who tries one holds an advisory lock on
 * its gid, in a transaction, so that the server gives it back when the process dies.
 */
export const probePrefix = (cluster: string): string => `cc:${cluster}:probe-`;

const keyOf = (gid: string): string => `hashtextextended(${gid}, 0)`;

/** $1 gid. Held until the transaction ends. */
export const ATTEND_PROBE = `SELECT pg_advisory_xact_lock(${keyOf('$1')})`;

/** A transaction with an id of its own, so that there is something to prepare. */
export const PROBE_WORK = 'SELECT pg_current_xact_id()';

/** $1 gid. The list is the server's: another server, or a standby, does not have it. */
export const PROBE_SEEN = `
SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE gid = $1) AS seen`;

/**
 * $1 probe prefix. `unattended`: the process that prepared it is gone. `own`: this role may roll it back,
 * `member`: as its owner. The lock that the test takes is given back with the statement.
 */
export const LIST_PROBES = `
SELECT gid, owner::text AS owner, current_user::text AS role,
       floor(extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8 AS "ageMs",
       owner = current_user
         OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS own,
       pg_has_role(session_user, owner, 'MEMBER') AS member,
       pg_try_advisory_xact_lock(${keyOf('gid')}) AS unattended
  FROM pg_prepared_xacts
 WHERE database = current_database() AND starts_with(gid, $1)`;

export const probePrepareSql = (gid: string): string => `PREPARE TRANSACTION ${literal(gid)}`;
export const probeRollbackSql = (gid: string): string => `ROLLBACK PREPARED ${literal(gid)}`;

function literal(gid: string): string {
  if (!/^cc:[a-z0-9]{8}:probe-[a-z0-9]{1,32}$/.test(gid)) {
    throw new RangeError(`not a probe's gid, refused before it becomes SQL: ${gid}`);
  }
  return `'${gid}'`;
}
