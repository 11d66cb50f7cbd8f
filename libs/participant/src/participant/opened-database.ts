/**
 * The participant's database, checked before anything is promised on it. Guards "each failure names
 * its remedy": a server that cannot prepare shows it at the start, not when a branch is in doubt.
 */
import type { Clock } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
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
import { isConnectionLost } from '../postgres/sqlstate.js';
import { guardDataSource, poolOf } from '../typeorm/data-source-pool.js';
import { PatientLog } from './patient-log.js';
import { DEFAULTS, type ParticipantLog, type ParticipantOptions } from './participant-options.js';

const RETRY_MS = 500;

/** The database did not answer in time. */
export class DatabaseUnreachable extends Error {
  override readonly name = 'DatabaseUnreachable';
}

export class OpenedDatabase {
  readonly resource: PostgresResource;
  readonly sessionsMax: number;
  private readonly ownPool: Pool | undefined;
  private readonly unguard: () => void;

  constructor(
    private readonly options: ParticipantOptions,
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
    this.sessionsMax = options.sessionsMax ?? pool.options.max ?? DEFAULTS.connectionsMax;
    this.resource = new PostgresResource({
      pool,
      clock,
      schema: options.schema,
      isolation: options.isolation,
      namedStatements: options.namedStatements,
      onConnectionError: onError,
    });
    this.unguard =
      'dataSource' in database ? guardDataSource(database.dataSource) : guardPool(pool);
  }

  /** Waits for the server, checks it, migrates. Throws what makes the service unfit to start. */
  async open(): Promise<ServerReport> {
    const { inDoubtMax } = this.options;
    const { sessionsMax } = this;
    const report = await this.answering(() =>
      examineServer(this.resource, { inDoubtMax, sessionsMax }),
    );
    const warnings = assertFit(report.findings);
    const participant = this.options.name as ParticipantName; // Checked by whoever made us.
    if (this.options.migrate !== false) await this.resource.migrate(participant);
    warnings.push(...assertFit(await examineTable(this.resource, participant)));
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
        return `the database did not answer within ${waitMs} ms`;
      case 'error':
        return messageOf(answer.error);
    }
  }

  private async answering<T>(ask: () => Promise<T>): Promise<T> {
    const { databaseWaitMs = DEFAULTS.databaseWaitMs } = this.options;
    const started = this.clock.now();
    const waiting = new PatientLog(this.clock, (message) => this.log.warn(message));
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isConnectionLost(error)) throw error;
        if (this.clock.now() - started >= databaseWaitMs) {
          throw new DatabaseUnreachable(
            `the database of ${this.options.name} did not answer within ${databaseWaitMs} ms (${messageOf(error)}); start it, or correct its address`,
            { cause: error },
          );
        }
        waiting.say(`waiting for the database: ${messageOf(error)}`);
        await new Promise<void>((resolve) => this.clock.after(RETRY_MS, resolve));
      }
    }
  }
}

function givenPool({ database }: ParticipantOptions): Pool {
  if ('pool' in database) {
    assertPool(database.pool);
    return database.pool;
  }
  if ('dataSource' in database) return poolOf(database.dataSource);
  throw new TypeError('database: give one of url, pool or dataSource');
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
