/**
 * The participant's database, checked before anything is promised on it. Guards "each failure names
 * its remedy": a server that cannot prepare shows it at the start, not when a branch is in doubt.
 */
import type { Clock } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type { Pool } from 'pg';
import { guardPool } from '../branch/pool-guard.js';
import { bounded } from '../postgres/bounded.js';
import {
  assertFit,
  describeFinding,
  examineServer,
  examineTable,
  type ServerReport,
} from '../postgres/doctor.js';
import { assertPool } from '../postgres/driver.js';
import { sessionPool } from '../postgres/pools.js';
import { PostgresResource } from '../postgres/postgres-resource.js';
import { guardDataSource, poolOf } from '../typeorm/data-source-pool.js';
import { DatabasePatience, reasonOf } from './database-wait.js';
import { checkLimits } from './identity.js';
import { DEFAULTS, type ParticipantLog, type ParticipantOptions } from './participant-options.js';

export type DatabaseOptions = Pick<
  ParticipantOptions,
  | 'name'
  | 'database'
  | 'schema'
  | 'migrate'
  | 'isolation'
  | 'namedStatements'
  | 'keptStatements'
  | 'sessionsMax'
  | 'lockWaitersMax'
  | 'inDoubtMax'
  | 'databaseWaitMs'
>;

export class OpenedDatabase {
  readonly resource: PostgresResource;
  readonly sessionsMax: number;
  /** The service brought the pool, and uses it for queries of its own too. */
  readonly isPoolShared: boolean;
  private readonly ownPool: Pool | undefined;
  private readonly unguard: () => void;

  constructor(
    private readonly options: DatabaseOptions,
    private readonly clock: Clock,
    private readonly log: ParticipantLog,
  ) {
    const { database } = options;
    const onError = (error: Error): void =>
      log.warn(`an idle database connection was lost: ${error.message}`);
    this.ownPool =
      'url' in database
        ? sessionPool({
            url: database.url,
            connectionsMax:
              database.connectionsMax ?? options.sessionsMax ?? DEFAULTS.connectionsMax,
            applicationName: options.name,
            onError,
          })
        : undefined;
    const pool = this.ownPool ?? givenPool(options);
    this.isPoolShared = this.ownPool === undefined;
    this.sessionsMax = options.sessionsMax ?? pool.options.max ?? DEFAULTS.connectionsMax;
    checkLimits({ ...options, sessionsMax: this.sessionsMax });
    this.resource = new PostgresResource({
      pool,
      clock,
      schema: options.schema,
      isolation: options.isolation,
      namedStatements: options.namedStatements,
      keptStatements: options.keptStatements,
      onConnectionError: onError,
    });
    this.unguard =
      'dataSource' in database ? guardDataSource(database.dataSource) : guardPool(pool);
  }

  /**
   * Checks the server, migrates, checks the table. Each step waits for a database that is away, all of
   * them together no longer than `databaseWaitMs`. Throws what makes the service unfit to start.
   */
  async open(signal?: AbortSignal): Promise<ServerReport> {
    const { name, inDoubtMax, databaseWaitMs } = this.options;
    const { sessionsMax, isPoolShared, resource, clock, log } = this;
    const patience = new DatabasePatience({ name, waitMs: databaseWaitMs, clock, log, signal });
    const report = await patience.step(() =>
      examineServer(resource, { inDoubtMax, sessionsMax, isPoolShared }),
    );
    const warnings = assertFit(report.findings);
    const participant = name as ParticipantName; // Checked by the caller.
    // Applied in one transaction: cut off anywhere, it is there or it is not, and is asked for again.
    if (this.options.migrate !== false) await patience.step(() => resource.migrate(participant));
    warnings.push(...assertFit(await patience.step(() => examineTable(resource, participant))));
    for (const warning of warnings) this.log.warn(describeFinding(warning));
    return report;
  }

  async close(): Promise<void> {
    await this.resource.close();
    this.unguard();
    await this.ownPool?.end();
  }

  /** Whether the primary answers now, or why not. */
  async fault(waitMs: number, ask: () => Promise<unknown>): Promise<string | undefined> {
    const answer = await bounded(this.clock, waitMs, ask());
    switch (answer.kind) {
      case 'value':
        return undefined;
      case 'timeout':
        return `the database did not answer within ${durationText(waitMs)}`;
      case 'error':
        return reasonOf(answer.error);
    }
  }
}

function givenPool({ database }: DatabaseOptions): Pool {
  if ('pool' in database) {
    assertPool(database.pool);
    return database.pool;
  }
  if ('dataSource' in database) return poolOf(database.dataSource);
  throw new TypeError('database: give one of url, pool or dataSource');
}
