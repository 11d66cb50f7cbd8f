/**
 * The check-up of the decision database while it runs: every setting and guard that decisions depend on,
 * with the remedy where one is not as it must be. Guards protocol §3 after the start as well: what the
 * start would refuse is found before the next start has to.
 */
import type { Clock } from '@concordat/engine';
import { isTransactionId, madeAtMs } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type pg from 'pg';
import type { AuditTrail } from '../audit/audit-trail.js';
import { MIGRATION_NAMES } from '../migrations.js';
import { CHECKUP_FACTS } from './checkup.sql.js';

export interface RegisterCheck {
  readonly name: string;
  readonly result: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly found: string;
  readonly remedy?: string;
}

interface Facts {
  readonly standby: boolean;
  readonly now_ms: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly migrations: readonly string[] | null;
  readonly triggers: readonly string[] | null;
  readonly unlogged: readonly string[] | null;
  readonly connections: number;
  readonly mark: string | null;
}

export interface CheckupParts {
  readonly pools: readonly pg.Pool[];
  readonly audit: AuditTrail;
  readonly clock: Clock;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const CONNECTIONS_WARNING = 0.8;

const GUARDS = [
  ...['stands', 'principal_stands', 'kept', 'not_emptied'].map((one) => `decision.decision_${one}`),
  ...['heuristic_stands', 'heuristic_kept', 'heuristic_not_emptied'].map(
    (one) => `heuristic.${one}`,
  ),
  ...['rises', 'kept', 'not_emptied', 'not_ahead'].map((one) => `pruning_mark.pruning_mark_${one}`),
  'cluster.cluster_stands',
  ...['audit_stands', 'audit_kept', 'audit_not_emptied'].map((one) => `audit.${one}`),
  ...['audit_head_rises', 'audit_head_kept', 'audit_head_not_emptied'].map(
    (one) => `audit_head.${one}`,
  ),
];

/** Never rejects: a database that does not answer is a finding. */
export async function checkup(parts: CheckupParts, retentionMs: number): Promise<RegisterCheck[]> {
  const { pools, clock } = parts;
  const began = clock.now();
  try {
    const [pool] = pools;
    if (!pool) return [];
    const { rows } = await pool.query<Facts>(CHECKUP_FACTS);
    const roundTripMs = Math.round(clock.now() - began);
    const facts = rows[0] as Facts;
    return [
      ok('answers', `within ${durationText(roundTripMs)}`),
      version(facts),
      primary(facts),
      switchedOn(facts, 'fsync', 'so a crash can lose decisions'),
      switchedOn(facts, 'full_page_writes', 'so a crash can tear decisions'),
      synchronousCommit(facts),
      replication(facts),
      connections(facts),
      poolOf(pools),
      migrations(facts),
      guards(facts),
      logged(facts),
      retention(facts, retentionMs),
      await chain(parts.audit),
    ];
  } catch (error) {
    const why = error instanceof Error ? error.message || error.name : String(error);
    const remedy =
      'Start the decision database, or correct its address; decisions wait until then.';
    return [{ name: 'answers', result: 'bad', found: `it does not answer: ${why}`, remedy }];
  }
}

function ok(name: string, found: string): RegisterCheck {
  return { name, result: 'ok', found };
}

function version({ settings }: Facts): RegisterCheck {
  const found = `PostgreSQL ${settings['server_version'] ?? '?'}`;
  if (Number(settings['server_version_num']) >= 150_000) return ok('version', found);
  const remedy = 'Decisions are kept on PostgreSQL 15 to 18: move to such a server.';
  return { name: 'version', result: 'bad', found, remedy };
}

function primary({ standby }: Facts): RegisterCheck {
  if (!standby) return ok('primary', 'it is the primary');
  const remedy = 'Connect to the primary, or promote this server.';
  return { name: 'primary', result: 'bad', found: 'it is a standby', remedy };
}

function switchedOn({ settings }: Facts, name: string, why: string): RegisterCheck {
  const setting = settings[name];
  if (setting === 'on') return ok(name, 'on');
  const remedy = `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`;
  return { name, result: 'bad', found: `${setting ?? 'unknown'}, ${why}`, remedy };
}

function synchronousCommit({ settings }: Facts): RegisterCheck {
  const name = 'synchronous_commit';
  const setting = settings[name] ?? 'unknown';
  if (setting !== 'off') return ok(name, `${setting} by default; on in every session of ours`);
  const remedy =
    'Take back the default of the server, the database or the role (RESET synchronous_commit): the next start refuses it.';
  return { name, result: 'bad', found: 'off by default', remedy };
}

function replication({ settings }: Facts): RegisterCheck {
  const name = 'synchronous_standby_names';
  const names = settings[name] ?? '';
  if (names !== '') return ok(name, names);
  const remedy =
    'Name a synchronous standby if a failover must not lose decisions; without one, a lost disk loses them.';
  return { name, result: 'warning', found: 'none: decisions are on one server only', remedy };
}

function connections({ settings, connections: used }: Facts): RegisterCheck {
  const max = Number(settings['max_connections']);
  const found = `${used} of ${max} used`;
  if (used < max * CONNECTIONS_WARNING) return ok('connections', found);
  const remedy = 'Raise max_connections, or lower CONCORDAT_POOL_SIZE.';
  return { name: 'connections', result: 'warning', found, remedy };
}

function poolOf(pools: readonly pg.Pool[]): RegisterCheck {
  const sum = (read: (pool: pg.Pool) => number): number =>
    pools.reduce((so, pool) => so + read(pool), 0);
  const waiting = sum((pool) => pool.waitingCount);
  const open = sum((pool) => pool.totalCount);
  const found = `${open} connections open, ${sum((pool) => pool.idleCount)} idle, ${waiting} questions wait`;
  if (waiting === 0) return ok('pool', found);
  const remedy = 'Raise CONCORDAT_POOL_SIZE if this stays so.';
  return { name: 'pool', result: 'warning', found, remedy };
}

function migrations({ migrations: done }: Facts): RegisterCheck {
  const missing = MIGRATION_NAMES.filter((one) => !done?.includes(one));
  const newer = (done ?? []).filter((one) => !MIGRATION_NAMES.includes(one));
  const name = 'migrations';
  if (missing.length > 0) {
    const found = `${missing.join(', ')} missing`;
    return { name, result: 'bad', found, remedy: 'Restart the coordinator, which migrates.' };
  }
  if (newer.length > 0) {
    const remedy =
      'A newer version has migrated it: upgrade this coordinator before its next start.';
    return { name, result: 'warning', found: `${newer.join(', ')} newer than this`, remedy };
  }
  return ok(name, `all ${MIGRATION_NAMES.length} done`);
}

function guards({ triggers }: Facts): RegisterCheck {
  const missing = GUARDS.filter((one) => !triggers?.includes(`${one}.A`));
  const name = 'schema guards';
  if (missing.length === 0) return ok(name, `all ${GUARDS.length} triggers are there, always on`);
  const remedy = `Run ALTER TABLE concordat.<table> ENABLE ALWAYS TRIGGER <name>; for each. Find out who switched them off, and what was changed.`;
  return { name, result: 'bad', found: `missing or off: ${missing.join(', ')}`, remedy };
}

function logged({ unlogged }: Facts): RegisterCheck {
  const name = 'tables';
  if (!unlogged || unlogged.length === 0) return ok(name, 'all survive a crash');
  const remedy = 'Run ALTER TABLE concordat.<table> SET LOGGED; for each.';
  return { name, result: 'bad', found: `UNLOGGED: ${unlogged.join(', ')}`, remedy };
}

function retention({ mark, now_ms: nowMs }: Facts, retentionMs: number): RegisterCheck {
  const name = 'retention';
  const kept = `${durationText(retentionMs)} are kept`;
  if (!mark || !isTransactionId(mark)) return ok(name, `${kept}; nothing was forgotten yet`);
  const behindMs = nowMs - madeAtMs(mark) - retentionMs;
  const found = `${kept}; forgotten up to ${new Date(madeAtMs(mark)).toISOString()}`;
  if (madeAtMs(mark) > nowMs) {
    const remedy =
      'Every transaction aborts until then. Set the clock of the database server right; see "A clock is wrong" in docs/runbooks.md.';
    return { name, result: 'bad', found: `${found}, which is ahead of its clock`, remedy };
  }
  if (behindMs < 24 * HOUR) return ok(name, found);
  const remedy =
    'Something old is live or unfinished and holds the mark back: look at the stuck transactions, oldest first, and at coordinators that are gone.';
  return { name, result: 'warning', found, remedy };
}

async function chain(audit: AuditTrail): Promise<RegisterCheck> {
  const name = 'audit';
  const { entries, chainIntact } = await audit.verify();
  if (chainIntact) return ok(name, `the newest ${entries} entries form one chain`);
  const remedy =
    'Somebody has changed, removed or added entries behind the coordinator: compare with the heads in the logs, and find out who.';
  return { name, result: 'bad', found: 'the chain is broken', remedy };
}
