/**
 * Statements that make a session fit for decisions, and those that judge whether a server is.
 */

/**
 * Said explicitly on every session, so that no default of a role or a database weakens it:
 * - a decision is answered only when it is flushed;
 * - the re-read after a conflict must see what won, so every statement has its own snapshot;
 * - no statement time-out: on a server that waits for a missing synchronous standby a time-out turns
 *   the wait into a false success ("committed locally"). We stop waiting on our side instead, and
 *   call it unknown.
 * - a warning is sent: that such a wait was ended all the same is said in no other way.
 */
export const PREPARE_SESSION = `
  SELECT set_config('synchronous_commit', 'on', false),
         set_config('client_min_messages', 'warning', false),
         set_config('default_transaction_isolation', 'read committed', false),
         set_config('statement_timeout', '0', false),
         set_config('lock_timeout', '0', false),
         set_config('idle_in_transaction_session_timeout', '30s', false)`;

/**
 * Statements of the register, and of what is compared with it, find their rows by key, however many there
 * are. A plan that is made while the tables are small, and kept until they are analysed, must not read or
 * hash all of them: on 20,000 decisions a note of nine ends took ten times as long. Nothing that is planned
 * by key is worth compiling.
 */
export const PREPARE_KEYED_SESSION = `
  SELECT set_config('enable_seqscan', 'off', false),
         set_config('enable_bitmapscan', 'off', false),
         set_config('enable_hashjoin', 'off', false),
         set_config('enable_mergejoin', 'off', false),
         set_config('jit', 'off', false)`;

/**
 * The reader may be slow, never endless. Its lists are made to be read off the end of an index; a
 * planner whose statistics lag behind must not think of gathering and sorting instead.
 */
export const PREPARE_READING_SESSION = `
  SELECT set_config('default_transaction_read_only', 'on', false),
         set_config('statement_timeout', '15s', false),
         set_config('enable_seqscan', 'off', false),
         set_config('enable_bitmapscan', 'off', false),
         set_config('enable_sort', 'off', false),
         set_config('enable_hashjoin', 'off', false)`;

export const SERVER_VERSION = `
  SELECT version() AS version, current_setting('server_version_num')::int AS number`;

export const SERVER_STATE = `
  SELECT pg_is_in_recovery() AS standby,
         current_setting('default_transaction_read_only')::bool AS read_only,
         current_database() AS database,
         current_user AS role,
         current_setting('server_encoding') AS encoding,
         (SELECT json_object_agg(name, json_build_object('setting', setting, 'source', source))
            FROM pg_settings
           WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')) AS settings`;

/** The same server still, the same cluster, still a primary that takes writes, still flushing. */
export const SESSION_STATE = `
  SELECT (SELECT cluster_id FROM concordat.cluster) AS cluster,
         (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
         pg_is_in_recovery() AS standby,
         current_setting('default_transaction_read_only')::bool AS read_only,
         current_setting('fsync') AS fsync,
         current_setting('full_page_writes') AS full_page_writes,
         (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'concordat' AND c.relkind = 'r' AND c.relpersistence <> 'p'
             AND c.relname <> 'key_claim') AS unlogged`;

export const CREATE_SCHEMA = 'CREATE SCHEMA IF NOT EXISTS concordat';
/** Coordinators that start at once migrate one after another. The numbers spell "conc", "mig1". */
export const LOCK_MIGRATIONS = 'SELECT pg_advisory_lock(1668247139, 1835624241)';
export const UNLOCK_MIGRATIONS = 'SELECT pg_advisory_unlock(1668247139, 1835624241)';
export const LIMIT_LOCK_WAIT = `SELECT set_config('lock_timeout', '60s', false)`;
/** What decides waits behind a migration that waits for its table: not for longer than this. */
export const LIMIT_TABLE_WAIT = `SELECT set_config('lock_timeout', '1s', false)`;

export const HAS_MIGRATIONS = `SELECT to_regclass('concordat.migration') IS NOT NULL AS there`;
export const LIST_MIGRATIONS = 'SELECT name FROM concordat.migration ORDER BY id DESC';

export const MAKE_CLUSTER_ID =
  'INSERT INTO concordat.cluster (cluster_id) VALUES ($1) ON CONFLICT DO NOTHING';
export const READ_CLUSTER_ID = 'SELECT cluster_id FROM concordat.cluster';

export const MAKE_SESSION_SECRET =
  'INSERT INTO concordat.session_secret (secret) VALUES ($1) ON CONFLICT DO NOTHING';
export const READ_SESSION_SECRET = 'SELECT secret FROM concordat.session_secret';
