/**
 * The checks of a running participant: what the start-up check looks at, again and now, with what was
 * found also where nothing is wrong. Guards "every finding names its remedy", and that looking never
 * hurts: one examination at a time, its probe is rolled back at once, and an examination that hangs
 * is reported as unknown.
 */
import type { CheckReport, Clock } from '@concordat/engine';
import type { ClusterId, InstanceId } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import { bounded } from '../postgres/bounded.js';
import { connectionNeed, describeNeed } from '../postgres/connections.js';
import { examine, type Finding } from '../postgres/doctor.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import type { CheckFacts, Inspector } from './inspector.js';

export interface CheckupOptions {
  readonly cluster: ClusterId;
  readonly instance: InstanceId;
  readonly sessionsMax: number;
  readonly inDoubtMax: number;
  /** Whether the service uses the pool for its own queries too. */
  readonly isPoolShared?: boolean;
}

const EXAMINE_MS = 4_000;
const SKEW_MS_MAX = 60_000;
const OLDEST_MS_MAX = 60_000;
/** Not looked at where another check has failed. */
const AFTER_THE_OTHERS = new Set(['owner', 'left-probe', 'probe']);

export class Checkup {
  private examining?: Promise<readonly Finding[]>;

  constructor(
    private readonly parts: {
      readonly resource: PostgresResource;
      readonly inspector: Inspector;
      readonly clock: Clock;
    },
    private readonly options: CheckupOptions,
  ) {}

  async run(): Promise<CheckReport[]> {
    const { clock, inspector } = this.parts;
    const facts = await inspector.checkFacts();
    const skewMs = facts.clockMs - clock.wallNow();
    const examined = await bounded(clock, EXAMINE_MS, this.examine());
    const own = ownChecks(facts, skewMs, this.options);
    if (examined.kind !== 'value') {
      const why =
        examined.kind === 'error' && examined.error instanceof Error
          ? examined.error.message
          : `the examination was not over within ${durationText(EXAMINE_MS)}: is a connection of the pool free?`;
      return [
        ...own,
        {
          name: 'probe',
          result: 'unknown',
          found: why,
          remedy: 'run the checks again in a moment',
        },
      ];
    }
    const need = describeNeed(connectionNeed(this.parts.resource));
    return [...doctorsChecks(facts, examined.value, need), ...own];
  }

  /** Shared by all callers while one is under way: a hung pool must not gather more of them. */
  private examine(): Promise<readonly Finding[]> {
    this.examining ??= examine(this.parts.resource, this.options)
      .then(({ findings }) => findings)
      .finally(() => {
        this.examining = undefined;
      });
    return this.examining;
  }
}

/** Each of the doctor's checks with its findings, or with what is right about it. */
function doctorsChecks(
  facts: CheckFacts,
  findings: readonly Finding[],
  need: string,
): CheckReport[] {
  const right: Readonly<Record<string, string>> = {
    driver: 'the pool’s connections report the state of their transactions',
    'search-path': 'functions are Postgres’ own',
    version: `Postgres ${facts.version}`,
    'prepared-slots': `${facts.slotsUsed} of ${facts.slotsMax} prepared slots are taken`,
    standby: 'the server is a primary',
    fsync: 'fsync is on',
    'read-only': 'transactions may write',
    language: 'errors of the server are understood',
    reaper:
      facts.reaper === null
        ? 'this server has no prepared_orphaned_transaction_timeout'
        : `prepared_orphaned_transaction_timeout is ${facts.reaper}`,
    pool: 'the pool has a connection for every branch that may be at work',
    connections: isPooled(facts)
      ? `this instance opens up to ${need} connections of a pooler, whose limits are not seen here`
      : `this instance opens up to ${need} connections; role, database and server allow them`,
    'outcome-table': 'the outcome table is there, and this role may use it',
    owner: `what is prepared here belongs to role ${facts.role}`,
    'left-probe': 'no process has left its probe behind',
    probe: 'a probe was prepared, and rolled back from another connection',
  };
  const failed = findings.some((one) => one.severity === 'failure');
  const names = new Set([...Object.keys(right), ...findings.map((one) => one.check)]);
  return [...names].flatMap((name): CheckReport[] => {
    const found = findings.filter((one) => one.check === name);
    if (found.length > 0) {
      return found.map(({ severity, message, remedy }) => ({
        name,
        result: severity === 'failure' ? 'bad' : 'warning',
        found: message,
        remedy,
      }));
    }
    const skipped = failed && AFTER_THE_OTHERS.has(name);
    if (skipped) {
      const why = 'not looked at: another check failed before it';
      return [{ name, result: 'unknown', found: why, remedy: 'repair that one first' }];
    }
    return [{ name, result: 'ok', found: right[name] ?? '' }];
  });
}

function ownChecks(facts: CheckFacts, skewMs: number, options: CheckupOptions): CheckReport[] {
  const { inDoubtMax } = options;
  const { slotsMax, sessionsMax, oldestMs, monitor, role } = facts;
  const oldest = oldestMs ?? 0;
  return [
    check(
      'in-doubt-limit',
      inDoubtMax < slotsMax,
      `this instance may have ${inDoubtMax} branches in doubt; the server has ${slotsMax} slots for all`,
      'set inDoubtMax below max_prepared_transactions, divided by the number of instances',
    ),
    check(
      'whole-table-waits',
      slotsMax <= sessionsMax,
      `the server allows ${slotsMax} prepared transactions and ${sessionsMax} sessions`,
      'raise max_connections well above max_prepared_transactions: Postgres crashes when a session waits for a whole table that more transactions hold, prepared or not, than there are sessions',
    ),
    check(
      'oldest-branch',
      oldest <= OLDEST_MS_MAX,
      oldestMs === null
        ? 'nothing is prepared here'
        : `the oldest branch has been prepared for ${durationText(oldest)}`,
      'look at its transaction: a coordinator or the register may be away',
    ),
    check(
      'clock',
      Math.abs(skewMs) <= SKEW_MS_MAX,
      `the database’s clock and this service’s differ by ${durationText(Math.abs(skewMs))}`,
      'let NTP set both clocks; nothing but displayed times and forgetting looks at them',
    ),
    {
      name: 'pooler',
      result: 'ok',
      found: isPooled(facts)
        ? 'a pooler is in between: by transaction it needs PgBouncer 1.21, or namedStatements: false'
        : 'connected to the server itself',
    },
    {
      name: 'pg-monitor',
      result: 'ok',
      found: monitor
        ? `role ${role} may see what waiting sessions do`
        : `role ${role} may not see what waiting sessions do; GRANT pg_monitor would show it, without literals`,
    },
  ];
}

function isPooled({ connectedTo, backend }: CheckFacts): boolean {
  return connectedTo !== null && connectedTo !== backend;
}

function check(name: string, isOk: boolean, found: string, remedy: string): CheckReport {
  return isOk ? { name, result: 'ok', found } : { name, result: 'warning', found, remedy };
}
