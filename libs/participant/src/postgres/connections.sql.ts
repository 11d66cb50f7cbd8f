/** What limits the connections of this role to this database on this server. */

/**
 * Limits of role and database are -1 where there is none. What a server keeps for superusers, and from
 * 16 on for members of pg_use_reserved_connections, others cannot have. `backend` differs from the process
 * that the driver was given if a pooler is in between.
 */
export const CONNECTION_LIMITS = `
SELECT session_user::text AS role, current_database()::text AS database,
       pg_backend_pid() AS backend,
       r.rolsuper AS superuser,
       r.rolconnlimit AS "roleLimit",
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS "databaseLimit",
       current_setting('max_connections')::int AS "serverMax",
       current_setting('superuser_reserved_connections')::int AS "superuserReserved",
       CASE WHEN EXISTS (SELECT FROM pg_roles reserved
                          WHERE reserved.rolname = 'pg_use_reserved_connections'
                            AND pg_has_role(session_user, reserved.oid, 'USAGE'))
            THEN 0
            ELSE coalesce(current_setting('reserved_connections', true)::int, 0)
       END AS reserved
  FROM pg_roles r WHERE r.rolname = session_user`;
