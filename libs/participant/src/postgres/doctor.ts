/**
 * The start-up check: everything about a database that would only show when a branch is in doubt.
 * Guards "every failure names its remedy", and protocol §4.2 by preparing and rolling back a real
 * probe, since look-alikes of Postgres say yes to much.
 */
import {
  gidPrefix,
  type ClusterId,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type { Pool, PoolClient } from 'pg';
import { identifier } from './branch.sql.js';
import { connectionFindings } from './connections.js';
import { faultOfClient, faultOfPool } from './driver.js';
import { failure, warning, type Finding } from './finding.js';
import { FOREIGN_OWNERS, SERVER_FACTS, TABLE_RIGHTS } from './inspection.sql.js';
import { ownerOfTable } from './migrate.js';
import { closedTable, migrations, noteVersionSql, outcomeTable } from './migration.sql.js';
import { lend } from './pools.js';
import type { PostgresResource } from './postgres-resource.js';
import { leftProbeFindings, probeFindings } from './probe.js';
import { understandsLanguage } from './severity.js';

export type { Finding };

export interface ServerExpectations {
  /** The in-doubt limit that was asked for; absent when it follows the server's setting. */
  readonly inDoubtMax?: number;
  readonly sessionsMax: number;
  /** Whether the service uses the pool for its own queries too. */
  readonly isPoolShared?: boolean;
}

export interface ClusterExpectations {
  readonly cluster: ClusterId;
  readonly instance: InstanceId;
}

export interface ServerReport {
  readonly findings: readonly Finding[];
  readonly slotsMax: number;
  readonly serverVersion: string;
}

/** The database is not fit for branches: the service must not start. Says every cause and remedy. */
export class DatabaseUnfit extends Error {
  override readonly name = 'DatabaseUnfit';
  constructor(readonly findings: readonly Finding[]) {
    super(
      ['this database cannot be used by a participant:', ...findings.map(describeFinding)].join(
        '\n  - ',
      ),
    );
  }
}

export function describeFinding(finding: Finding): string {
  return `${finding.check}: ${finding.message}. Remedy: ${finding.remedy}.`;
}

/** Throws {@link DatabaseUnfit} if there are failures; returns the warnings. */
export function assertFit(findings: readonly Finding[]): Finding[] {
  const failures = findings.filter((one) => one.severity === 'failure');
  if (failures.length > 0) throw new DatabaseUnfit(failures);
  return findings.filter((one) => one.severity === 'warning');
}

interface ServerFacts {
  readonly version_number: number;
  readonly version: string;
  readonly banner: string;
  readonly standby: boolean;
  readonly slots_max: number;
  readonly slots_used: number;
  readonly fsync: string;
  readonly reaper: string | null;
  readonly language: string;
  readonly read_only: string;
  readonly role: string;
  readonly database: string;
  readonly superuser: boolean;
}

/** First minors that carry the fixes of 15.20: an aborted prepared transaction stays aborted. */
const FIXED_MINOR: Readonly<Record<number, number>> = { 15: 20, 16: 16, 17: 12, 18: 6 };
const VERSION_MIN = 150_000;
const BORROW_MS = 10_000;

/** What is known of the server and the pool before anything else. */
export async function examineServer(
  resource: PostgresResource,
  expected: ServerExpectations,
): Promise<ServerReport> {
  const driver = await driverFindings(resource);
  if (driver.length > 0) return { findings: driver, slotsMax: 0, serverVersion: 'unknown' };
  const facts = await factsOf(resource.secondPhasePool);
  const findings = [
    ...versionFindings(facts),
    ...slotFindings(facts, expected),
    ...serverFindings(facts),
    ...poolFindings(resource.sessions, expected),
    ...(await connectionFindings(resource)),
  ];
  return { findings, slotsMax: facts.slots_max, serverVersion: facts.version };
}

/** Whether the outcome table is there, ours, and may be used; after the migration. */
export async function examineTable(
  resource: PostgresResource,
  participant?: ParticipantName,
): Promise<Finding[]> {
  const facts = await factsOf(resource.secondPhasePool);
  const findings = await tableFindings(resource.secondPhasePool, resource.schema, facts);
  if (findings.length > 0 || participant === undefined) return findings;
  return sharingFindings(resource, participant);
}

/** Two services in one table would take each other's branches for their own. */
async function sharingFindings(
  resource: PostgresResource,
  participant: ParticipantName,
): Promise<Finding[]> {
  const { secondPhasePool, schema, table } = resource;
  const { noted, found } = await ownerOfTable(secondPhasePool, schema, participant);
  const other = noted ?? found;
  if (other === undefined || other === participant) return [];
  const note = noteVersionSql(schema, migrations(schema).length, participant);
  return [
    failure(
      'outcome-table',
      `${table} is the outcome table of participant ${other}: two services may share a database, but not this table`,
      `give this service a schema of its own (option schema); or, if ${other} was renamed to ${participant} and nothing of it is prepared, run ${note}`,
    ),
  ];
}

/** Whether this role can finish what the cluster has prepared here, by a real probe. */
export async function examineCluster(
  resource: PostgresResource,
  expected: ClusterExpectations,
): Promise<Finding[]> {
  const facts = await factsOf(resource.secondPhasePool);
  return [
    ...(await ownerFindings(resource, facts, expected)),
    ...(await leftProbeFindings(resource.secondPhasePool, expected.cluster)),
    ...(await probeFindings(resource, expected)),
  ];
}

/** Everything at once, as far as it makes sense: what follows a failure would only repeat it. */
export async function examine(
  resource: PostgresResource,
  expected: ServerExpectations & ClusterExpectations,
): Promise<ServerReport> {
  const report = await examineServer(resource, expected);
  if (report.findings.some((one) => one.severity === 'failure')) return report;
  const findings = [...report.findings, ...(await examineTable(resource))];
  if (!findings.some((one) => one.severity === 'failure')) {
    findings.push(...(await examineCluster(resource, expected)));
  }
  return { ...report, findings };
}

async function factsOf(pool: Pool): Promise<ServerFacts> {
  const { rows } = await pool.query<ServerFacts>(SERVER_FACTS);
  if (!rows[0]) throw new Error('the database answered nothing about itself: is it Postgres?');
  return rows[0];
}

/** Before anything else: with another driver, nothing that is found out later would be true. */
async function driverFindings(resource: PostgresResource): Promise<Finding[]> {
  const fault =
    faultOfPool(resource.sessions) ?? (await lend(await borrowed(resource), faultOfClient));
  return fault ? [failure(fault.check, fault.message, fault.remedy)] : [];
}

/** A connection of the service's pool, which may be busy, but not forever. */
async function borrowed(resource: PostgresResource): Promise<PoolClient> {
  const answer = await resource.borrow(BORROW_MS);
  if (answer.kind === 'value') return answer.value;
  if (answer.kind === 'error') throw answer.error;
  throw new Error(
    `timeout exceeded when trying to connect: no connection of the pool was free within ${durationText(BORROW_MS)}`,
  );
}

function versionFindings(facts: ServerFacts): Finding[] {
  const { version_number: number, version, banner } = facts;
  if (/yugabyte/i.test(banner)) {
    return [
      failure(
        'look-alike',
        `this is ${banner}`,
        'YugabyteDB cannot prepare transactions: use Postgres',
      ),
    ];
  }
  if (number < VERSION_MIN) {
    return [failure('version', `the server is Postgres ${version}`, 'use Postgres 15 or newer')];
  }
  const fixed = FIXED_MINOR[Math.floor(number / 10_000)];
  if (fixed === undefined || number % 10_000 >= fixed) return [];
  const wanted = `${Math.floor(number / 10_000)}.${fixed}`;
  return [
    warning(
      'version',
      `Postgres ${version}: a crash while a prepared transaction is aborted can let it be committed later`,
      `update the server to ${wanted} or newer`,
    ),
  ];
}

function slotFindings(facts: ServerFacts, { inDoubtMax }: ServerExpectations): Finding[] {
  const { slots_max: max, slots_used: used } = facts;
  if (max === 0) {
    return [
      failure(
        'prepared-slots',
        'max_prepared_transactions is 0: this server cannot prepare transactions',
        'run ALTER SYSTEM SET max_prepared_transactions = 200 as superuser, then restart the server',
      ),
    ];
  }
  const findings: Finding[] = [];
  if (inDoubtMax !== undefined && inDoubtMax > max) {
    findings.push(
      failure(
        'prepared-slots',
        `the in-doubt limit is ${inDoubtMax}, but the server allows ${max} prepared transactions for all its services`,
        `set inDoubtMax below ${max}, or raise max_prepared_transactions and restart the server`,
      ),
    );
  }
  if (used >= max * 0.8) {
    findings.push(
      warning(
        'prepared-slots',
        `${used} of ${max} prepared slots are taken`,
        'look at pg_prepared_xacts for the oldest; raise max_prepared_transactions if this is usual',
      ),
    );
  }
  return findings;
}

function serverFindings(facts: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  if (facts.standby) {
    findings.push(
      failure(
        'standby',
        'this server is a standby: it shows no prepared transactions and cannot finish any',
        'point the service at the primary',
      ),
    );
  }
  if (facts.fsync === 'off') {
    findings.push(
      warning(
        'fsync',
        'fsync is off: a vote that was given can be lost with the power',
        'set fsync = on, unless this is a test',
      ),
    );
  }
  if (facts.read_only === 'on' && !facts.standby) {
    findings.push(
      failure(
        'read-only',
        `transactions of role ${facts.role} are read-only unless they say otherwise: no branch could write, and no outcome be recorded`,
        `run ALTER ROLE ${identifier(facts.role)} SET default_transaction_read_only = off, or take the setting out of the database or the server`,
      ),
    );
  }
  if (!understandsLanguage(facts.language)) {
    findings.push(
      warning(
        'language',
        `the server's messages are in ${facts.language}, whose word for ERROR is not known: errors of statements are taken for lost connections`,
        `run ALTER ROLE ${identifier(facts.role)} SET lc_messages = 'C' as superuser`,
      ),
    );
  }
  if (facts.reaper !== null && !/^(0|-1)(ms|s|min)?$/.test(facts.reaper)) {
    findings.push(
      failure(
        'reaper',
        `prepared_orphaned_transaction_timeout is ${facts.reaper}: the server would roll back branches that have promised to commit`,
        'set prepared_orphaned_transaction_timeout = 0 for this database',
      ),
    );
  }
  return findings;
}

function poolFindings(
  pool: Pool,
  { sessionsMax, isPoolShared = false }: ServerExpectations,
): Finding[] {
  const { max } = pool.options;
  if (max === undefined || max > sessionsMax) return [];
  if (max === sessionsMax) return isPoolShared ? [nothingLeftFor(sessionsMax)] : [];
  return [
    failure(
      'pool',
      `the connection pool has ${max} connections, but ${sessionsMax} branches may be at work at once`,
      `give the pool at least ${sessionsMax} connections (TypeORM: poolSize), or lower sessionsMax`,
    ),
  ];
}

/** Seen as a query of the service that waits until a deadline ends some branch, without a log line. */
function nothingLeftFor(sessionsMax: number): Finding {
  return warning(
    'pool',
    `sessionsMax is ${sessionsMax}, and so is the size of the pool: while ${sessionsMax} branches are at work, the service’s own queries wait for one of them to end`,
    `set sessionsMax below the size of the pool, or make the pool larger than ${sessionsMax} (TypeORM: poolSize; pg: max)`,
  );
}

interface TableRights {
  readonly may_select: boolean | null;
  readonly may_insert: boolean | null;
  readonly may_delete: boolean | null;
  readonly may_close: boolean | null;
  readonly filtered: boolean | null;
  readonly present: boolean;
  readonly present_too: boolean;
}

async function tableFindings(pool: Pool, schema: string, facts: ServerFacts): Promise<Finding[]> {
  const [table, closed] = [outcomeTable(schema), closedTable(schema)];
  const { rows } = await pool.query<TableRights>(TABLE_RIGHTS, [table, closed]);
  const rights = rows[0];
  if (!rights?.present || !rights.present_too) {
    const missing = rights?.present ? closed : table;
    return [
      failure('outcome-table', `${missing} is missing`, 'let the service migrate (migrate: true)'),
    ];
  }
  if (rights.filtered) {
    return [
      failure(
        'outcome-table',
        `row-level security hides rows of ${table} or ${closed} from role ${facts.role}: a branch that committed would look lost`,
        `run ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY, or make ${identifier(facts.role)} its owner without FORCE`,
      ),
    ];
  }
  const mayAll = rights.may_select && rights.may_insert && rights.may_delete;
  if (mayAll && !rights.may_close) {
    return [
      failure(
        'outcome-table',
        `role ${facts.role} has not all rights on ${closed}`,
        `run GRANT SELECT, INSERT, UPDATE ON ${closed} TO ${identifier(facts.role)}`,
      ),
    ];
  }
  if (mayAll) return [];
  return [
    failure(
      'outcome-table',
      `role ${facts.role} has not all rights on ${table}`,
      `run GRANT SELECT, INSERT, DELETE ON ${table} TO ${identifier(facts.role)}`,
    ),
  ];
}

/**
 * Own branches that another role has prepared, as operations that took on a role did before Concordat
 * prepared every branch as its service. They keep no service from serving the rest.
 */
async function ownerFindings(
  resource: PostgresResource,
  facts: ServerFacts,
  { cluster }: ClusterExpectations,
): Promise<Finding[]> {
  if (facts.superuser) return [];
  const { rows } = await resource.secondPhasePool.query<{
    gid: string;
    owner: string;
    member: boolean;
  }>(FOREIGN_OWNERS, [gidPrefix(cluster), resource.table]);
  return rows
    .filter(({ member }) => !member)
    .map(({ gid, owner }) =>
      warning(
        'owner',
        `${gid} was prepared by role ${owner}, so ${facts.role} cannot finish it; everything else is served`,
        `run GRANT ${identifier(owner)} TO ${identifier(facts.role)}, and it is finished within seconds`,
      ),
    );
}
