/**
 * What a service configures to become a participant. Guards "config keys are parameters": the
 * library reads nothing from the environment, every limit has a name and a default.
 */
import type { ChannelConnection, ChannelOptions } from '@concordat/channel';
import type { Clock, Entropy } from '@concordat/engine';
import type { Pool } from 'pg';
import type { Branch } from '../branch/current-branch.js';
import type { IsolationLevel } from '../postgres/branch.sql.js';
import type { InputSchema } from './input-schema.js';

/** One operation: its name, what it takes, and what it does in the branch. */
export interface OperationDefinition<Input = unknown> {
  readonly name: string;
  readonly input?: InputSchema<Input>;
  /** Gets what the schema made of the input. A method, so that operations of all inputs fit one list. */
  run(input: Input, branch: Branch): unknown;
  /**
   * It acts outside of its database, so it is never run again in the same branch. An operation that waits
   * for a lock while others need its session is otherwise undone and run again in its turn.
   */
  readonly once?: boolean;
}

/**
 * A TypeORM data source, by what is read of it: TypeORM 0.3 and 1 both have it, and a service without
 * TypeORM needs none of its types.
 */
export interface TypeOrmDataSource {
  readonly isInitialized: boolean;
  readonly options: { readonly type: string };
  readonly driver: object;
}

/** Where branches are prepared. The library ends only what it opened itself. */
export type ParticipantDatabase =
  | { readonly url: string; readonly connectionsMax?: number }
  | { readonly pool: Pool }
  /** TypeORM, initialised; branches use its pool. */
  | { readonly dataSource: TypeOrmDataSource };

/** Where the library writes what operators should know. Nest's Logger fits. */
export interface ParticipantLog {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export const SILENT: ParticipantLog = {
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface ParticipantLimits {
  /** Branches with an open session at once. Default: the size of the pool. */
  readonly sessionsMax?: number;
  /**
   * Sessions that may wait for a lock while other branches need one; at most `sessionsMax`, which lets each
   * keep its session. Default: half of `sessionsMax`.
   */
  readonly lockWaitersMax?: number;
  /**
   * Prepared branches of this instance at once, with those that earlier processes left in its
   * database. Default: four fifths of the server's slots.
   */
  readonly inDoubtMax?: number;
  /**
   * How many statements of operations each connection keeps by name, so that the server parses and plans them
   * once. Absent: none. What that changes is in docs/adapters.md, "Statements that are kept".
   */
  readonly keptStatements?: number;
  /** How long round two is awaited before a prepared branch is asked about. */
  readonly graceMs?: number;
  readonly resolvePeriodMs?: number;
  readonly resolveConcurrency?: number;
  /** How long outcome rows and tombstones are kept at least. */
  readonly retentionMs?: number;
  readonly prunePeriodMs?: number;
  /** How long the start waits for the database; it waits for the broker without limit. */
  readonly databaseWaitMs?: number;
  /** How long a shutdown waits for branches at work to vote. */
  readonly drainMs?: number;
}

export interface ParticipantOptions<
  Inputs extends readonly unknown[] = readonly unknown[],
> extends ParticipantLimits {
  /** `[a-z][a-z0-9-]*`, at most 32 characters: what transactions call this service. */
  readonly name: string;
  /** Semver of the service, shown to operators. */
  readonly version?: string;
  /** `nats://host:port`, one or several. */
  readonly natsUrl: string | readonly string[];
  /** Credentials, TLS and the like of the broker connection. */
  readonly nats?: Partial<Omit<ChannelOptions, 'servers' | 'name'>>;
  /** Cluster id. Absent: asked for on the broker, refused if two clusters share it. */
  readonly cluster?: string;
  readonly database: ParticipantDatabase;
  /** Schema of the outcome table. */
  readonly schema?: string;
  /** Whether the start makes and updates the outcome table. */
  readonly migrate?: boolean;
  readonly isolation?: IsolationLevel;
  /** Off behind PgBouncer before 1.21. */
  readonly namedStatements?: boolean;
  readonly operations: { readonly [Each in keyof Inputs]: OperationDefinition<Inputs[Each]> };
  readonly log?: ParticipantLog;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  /** For tests: a connection of their own instead of `natsUrl`. */
  readonly connect?: () => Promise<ChannelConnection>;
}

export const DEFAULTS = {
  connectionsMax: 16,
  graceMs: 2_000,
  resolvePeriodMs: 3_000,
  resolveConcurrency: 64,
  retentionMs: 7 * 24 * 3_600_000,
  prunePeriodMs: 60_000,
  databaseWaitMs: 30_000,
  drainMs: 10_000,
  /** Share of the server's prepared slots that one instance may fill. */
  slotShare: 0.8,
} as const;
