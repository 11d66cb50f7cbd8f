/**
 * The probe of the start-up check: a real transaction, prepared on one connection and rolled back on
 * another, as recovery would do it. Guards protocol §4.2, since look-alikes of Postgres say yes to much,
 * and that a probe whose process died holds its slot and the vacuum horizon no longer than until the next
 * look of any instance.
 *
 * Crash windows:
 *   attended, not prepared        nothing is there
 *   prepared, not rolled back     the lock went with the process: the next sweep rolls it back
 *   seen, attended no longer      the same; a sweep that comes in between is distinguished from another server
 */
import type { ClusterId, InstanceId } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type { Pool, PoolClient, QueryResult } from 'pg';
import { BEGIN, COMMIT, RESET_ROLE, identifier, takeRoleSql } from './branch.sql.js';
import { failure, warning, type Finding } from './finding.js';
import type { PostgresResource } from './postgres-resource.js';
import {
  ATTEND_PROBE,
  LIST_PROBES,
  PROBE_SEEN,
  PROBE_WORK,
  probePrefix,
  probePrepareSql,
  probeRollbackSql,
} from './probe.sql.js';
import { SqlState, isConnectionLost, sqlErrorOf } from './sqlstate.js';

/** A probe that its process left prepared. */
export interface LeftProbe {
  readonly gid: string;
  /** The role that prepared it: only this one, a member of it, or a superuser can roll it back. */
  readonly owner: string;
  /** By the database's clock. */
  readonly ageMs: number;
}

/** How one is described wherever it is shown. */
export const ABOUT_LEFT_PROBES =
  'the probe of a start-up check whose process died: it holds a prepared slot and keeps vacuum back, holds no data, belongs to no transaction, and is rolled back within seconds by any instance of its role';

interface ProbeRow extends LeftProbe {
  /** The role that looks. */
  readonly role: string;
  readonly own: boolean;
  readonly member: boolean;
  readonly unattended: boolean;
}

/** A lock can outlive its process where a connection is half open: a probe takes milliseconds. */
const ATTENDED_MS_MAX = 60_000;
/** A pool of the service's own may have no time-outs. */
const STATEMENT_MS = 5_000;

/** Probes in this database whose process is gone, oldest first. Changes nothing. */
export async function listLeftProbes(pool: Pool, cluster: ClusterId): Promise<LeftProbe[]> {
  return (await leftRows(pool, cluster)).map(({ gid, owner, ageMs }) => ({ gid, owner, ageMs }));
}

/**
 * Rolls back the probes that processes left prepared in this database, whichever instance made them.
 * Idempotent, and several may do it at once. Resolves with those that stay, since this role may not.
 */
export async function sweepProbes(pool: Pool, cluster: ClusterId): Promise<LeftProbe[]> {
  return (await sweep(pool, cluster)).map(({ gid, owner, ageMs }) => ({ gid, owner, ageMs }));
}

/** Sweeps, and reports for each probe that stays what it is, what it holds and which role can end it. */
export async function leftProbeFindings(pool: Pool, cluster: ClusterId): Promise<Finding[]> {
  return (await sweep(pool, cluster)).map(describeLeftProbe);
}

function describeLeftProbe({ gid, owner, ageMs, role }: ProbeRow): Finding {
  return warning(
    'left-probe',
    `${gid} is a probe of a start-up check whose process died ${durationText(ageMs)} ago. It holds a prepared slot of the server and keeps vacuum back; role ${owner} prepared it, so ${role} cannot roll it back`,
    `run ROLLBACK PREPARED '${gid}' as ${owner} or a superuser, in this database, or GRANT ${identifier(owner)} TO ${identifier(role)}, and it is gone within seconds: it holds no data and belongs to no transaction`,
  );
}

async function leftRows(pool: Pool, cluster: ClusterId): Promise<ProbeRow[]> {
  const { rows } = await pool.query<ProbeRow>(LIST_PROBES, [probePrefix(cluster)]);
  return rows
    .filter(({ unattended, ageMs }) => unattended || ageMs > ATTENDED_MS_MAX)
    .sort((one, other) => other.ageMs - one.ageMs);
}

async function sweep(pool: Pool, cluster: ClusterId): Promise<ProbeRow[]> {
  const stay: ProbeRow[] = [];
  for (const row of await leftRows(pool, cluster)) {
    if (!(await rollBack(pool, row))) stay.push(row);
  }
  return stay;
}

/** False: the role may not. Another instance may try at the same time, and the second one finds nothing. */
async function rollBack(pool: Pool, { gid, owner, own, member }: ProbeRow): Promise<boolean> {
  if (!own && !member) return false;
  try {
    await borrowing(pool, async (other) => {
      if (!own) await ask(other, takeRoleSql(owner));
      await ask(other, probeRollbackSql(gid));
      if (!own) await ask(other, RESET_ROLE);
    });
    return true;
  } catch (error) {
    if (isConnectionLost(error)) throw error;
    return sqlErrorOf(error)?.code !== SqlState.noRight;
  }
}

/**
 * Whether this service can prepare here, and roll back from another connection. Rejects when the
 * database is away: then nothing was found.
 */
export async function probeFindings(
  resource: PostgresResource,
  { cluster, instance }: { readonly cluster: ClusterId; readonly instance: InstanceId },
): Promise<Finding[]> {
  const gid = `${probePrefix(cluster)}${instance}`;
  const findings: Finding[] = [];
  try {
    await borrowing(resource.sessions, async (preparer) => {
      await ask(preparer, BEGIN);
      await ask(preparer, PROBE_WORK);
      await borrowing(resource.secondPhasePool, async (other) => {
        findings.push(...(await tryProbe(gid, preparer, other)));
      });
    });
  } catch (error) {
    // What was cut off may be prepared: best rolled back now, and else by the next sweep.
    if (!isConnectionLost(error)) return [refusedFinding(error)];
    await resource.secondPhasePool.query(probeRollbackSql(gid)).catch(() => undefined);
    throw error;
  }
  return findings;
}

/** With a transaction open on the preparer. What it throws was thrown before anything was prepared. */
async function tryProbe(gid: string, preparer: PoolClient, other: PoolClient): Promise<Finding[]> {
  await ask(other, BEGIN);
  await ask(other, ATTEND_PROBE, [gid]);
  const { command } = await ask(preparer, probePrepareSql(gid));
  if (command !== 'PREPARE') {
    await ask(other, COMMIT);
    return [
      failure('probe', `PREPARE TRANSACTION answered ${command}`, 'use a real Postgres server'),
    ];
  }
  const { rows } = await ask<{ seen: boolean }>(other, PROBE_SEEN, [gid]);
  await ask(other, COMMIT);
  const isSeen = rows[0]?.seen === true;
  try {
    if (!isSeen) throw new Error('that connection does not see it');
    await ask(other, probeRollbackSql(gid));
    return [];
  } catch (error) {
    if (isConnectionLost(error)) throw error;
    // It was there a moment ago: the sweep of another instance was faster.
    if (isSeen && sqlErrorOf(error)?.code === SqlState.undefinedObject) return [];
    await ask(preparer, probeRollbackSql(gid)).catch(() => undefined);
    return [
      failure(
        'probe',
        `a prepared probe could not be rolled back from another connection: ${messageOf(error)}`,
        'connect all of the service’s pools to the same primary, database and role',
      ),
    ];
  }
}

function refusedFinding(error: unknown): Finding {
  const code = sqlErrorOf(error)?.code;
  if (code === SqlState.outOfSlots) {
    return warning(
      'prepared-slots',
      'all prepared slots are taken at this moment',
      'new branches vote no until some are finished; raise max_prepared_transactions',
    );
  }
  if (code === SqlState.protocolViolation) {
    return failure(
      'pooler',
      `the pooler refused BEGIN: ${messageOf(error)}`,
      'PgBouncer must pool by transaction or session, not by statement: set pool_mode = transaction',
    );
  }
  return failure(
    'probe',
    `a probe transaction could not be prepared: ${messageOf(error)}`,
    'use a Postgres server that supports PREPARE TRANSACTION, with a role that may use it',
  );
}

/** Lends a connection; one whose work failed is discarded, since its transaction may still be open. */
async function borrowing(pool: Pool, work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  const ignore = (): void => undefined; // The statement under way is rejected with the same error.
  client.on('error', ignore);
  let isClean = false;
  try {
    await work(client);
    isClean = true;
  } finally {
    client.removeListener('error', ignore);
    client.release(!isClean);
  }
}

function ask<Row extends object>(
  client: PoolClient,
  text: string,
  values: unknown[] = [],
): Promise<QueryResult<Row>> {
  const bounded = { text, values, query_timeout: STATEMENT_MS };
  return client.query<Row>(bounded);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
