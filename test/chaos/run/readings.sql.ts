/**
 * The statements of the run: what the watcher reads while it lasts and the dump at its end, without
 * the product; and the acts of the nemesis on the database. Times are microseconds of the server.
 */

const US = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::float8`;

/** $1 seconds since 1970: decisions from then on. */
export const POLL = `
  SELECT extract(epoch FROM now())::float8 AS now,
         (SELECT coalesce(json_agg(json_build_object(
                   'gid', gid, 'database', database, 'preparedAtUs', ${US('prepared')})), '[]')
            FROM pg_prepared_xacts) AS prepared,
         (SELECT count(*)::int FROM concordat.decision
           WHERE decision = 'commit' AND ended_at IS NULL) AS open,
         (SELECT coalesce(json_agg(json_build_object(
                   'transaction', transaction, 'decision', decision)), '[]')
            FROM concordat.decision WHERE decided_at >= to_timestamp($1)) AS decisions`;

export const DECISIONS = `
  SELECT transaction, decision, note ->> 'label' AS label, idempotency_key AS key, branches,
         ${US('decided_at')} AS decided_at_us, ${US('ended_at')} AS ended_at_us, outcome
    FROM concordat.decision`;

export const HEURISTICS = `
  SELECT transaction, branch, participant, evidence ->> 'found' AS found
    FROM concordat.heuristic`;

/** The server keeps the time of each commit (track_commit_timestamp): here, of COMMIT PREPARED. */
export const OUTCOMES = `
  SELECT transaction, branch::text AS branch, participant, kind,
         ${US('created_at')} AS created_at_us,
         ${US('pg_xact_commit_timestamp(xmin)')} AS committed_at_us
    FROM concordat_branch`;

export const ACCOUNTS = 'SELECT id, balance::text AS balance FROM account';
export const STOCK = 'SELECT sku, available, reserved FROM stock';

export const PREPARED = `
  SELECT gid, database, transaction::text AS xid, ${US('prepared')} AS prepared_at_us
    FROM pg_prepared_xacts`;

export const JOURNAL = 'SELECT transaction, label, branches, timeline FROM concordat.journal';

/** Every field, as its hash was taken of them: times in whole milliseconds. */
export const AUDIT = `
  SELECT sequence::float8 AS sequence, round(extract(epoch FROM at) * 1000)::float8 AS "atMs",
         principal AS by, role, origin AS from, action, transaction, branch, gid, reason, ticket,
         phase, answers::float8 AS answers, before, after, previous, hash
    FROM concordat.audit ORDER BY sequence`;

export const AUDIT_HEAD = 'SELECT sequence::float8 AS sequence, hash FROM concordat.audit_head';

export const CLUSTER = 'SELECT cluster_id FROM concordat.cluster';

/** $1 the product's roles, $2 how many. */
export const TERMINATE = `
  SELECT count(pg_terminate_backend(pid))::int AS ended
    FROM (SELECT pid FROM pg_stat_activity
           WHERE usename = ANY ($1) ORDER BY random() LIMIT $2) AS chosen`;

/**
 * A transaction that holds nothing but its own id, left prepared. The gid is ours to choose: letters,
 * digits, colons and hyphens.
 */
export function plantSql(gid: string): string {
  if (!/^[a-z0-9:-]{1,64}$/.test(gid)) throw new RangeError(`not a gid to plant: ${gid}`);
  return `BEGIN; SELECT pg_current_xact_id()::text AS xid; PREPARE TRANSACTION '${gid}'`;
}
