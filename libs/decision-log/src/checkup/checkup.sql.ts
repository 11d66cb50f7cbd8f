/** What the check-up asks the decision database. */

const SETTINGS = `('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names',
                   'server_version', 'server_version_num', 'max_connections')`;

/** `reset_val` is what a session is given before anything of ours is set. */
export const CHECKUP_FACTS = `
  SELECT pg_is_in_recovery() AS standby,
         (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
         (SELECT json_object_agg(s.name, s.reset_val) FROM pg_settings s
           WHERE s.name IN ${SETTINGS}) AS settings,
         (SELECT array_agg(m.name ORDER BY m.id) FROM concordat.migration m) AS migrations,
         (SELECT array_agg(c.relname || '.' || g.tgname || '.' || g.tgenabled::text)
            FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'concordat' AND NOT g.tgisinternal) AS triggers,
         (SELECT array_agg(c.relname::text) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'concordat' AND c.relkind = 'r' AND c.relpersistence <> 'p'
             AND c.relname <> 'key_claim') AS unlogged,
         (SELECT count(*)::int FROM pg_stat_activity) AS connections,
         (SELECT below FROM concordat.pruning_mark) AS mark`;
