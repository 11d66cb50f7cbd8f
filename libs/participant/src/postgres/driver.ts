/**
 * What the library needs of the `pg` that a service brings: connections that survive their loss, and that
 * report the state of a transaction. Guards "each failure names its remedy": a driver that cannot be used is
 * refused at the start, by name and version. Any `pg` since {@link DRIVER_MIN} can: the state of a
 * transaction is read from the server's own message, which every version passes on.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import { ROLLBACK, RUN_DEFERRED } from './branch.sql.js';
import { fly } from './flight.js';
import { DRIVER_TRIAL, FLIGHT_TRIAL } from './inspection.sql.js';
import { ask } from './own-types.js';
import { SqlState, isConnectionLost, sqlErrorOf } from './sqlstate.js';

/** The oldest `pg` that branches work with; found by trial, with the suites of this library. */
export const DRIVER_MIN = '8.2.0';

/** `T` in a transaction, `E` in a failed one, `I` in none; null when the server has not said yet. */
export type TransactionStatus = 'I' | 'T' | 'E' | null;

/** The parts of a client that its types leave out or promise for all versions. */
interface Wired {
  readonly connection?: {
    prependListener?(event: string, hear: (message?: { status?: string }) => void): unknown;
  };
  readonly native?: unknown;
  getTransactionStatus?(): TransactionStatus;
}

const statuses = new WeakMap<object, { now: TransactionStatus }>();
const watchedPools = new WeakSet<Pool>();

/** The state of the connection's transaction, as the server last reported it. */
export function transactionStatusOf(client: PoolClient): TransactionStatus {
  return statuses.get(client)?.now ?? null;
}

/** BEGIN is being sent: until the server reports the state, a transaction is taken for open. */
export function expectTransaction(client: PoolClient): void {
  const status = statuses.get(client);
  if (status) status.now = 'T';
}

/**
 * Lets the loss of a connection end no process, and tracks the state of its transactions. Permanent: a
 * session that is terminated in the same packet as its first message may emit the error before the borrower
 * listens. The next statement reports it to the user of the connection.
 */
export function watchConnection(client: PoolClient): void {
  if (statuses.has(client)) return;
  const { connection, getTransactionStatus } = client as unknown as Wired;
  const status = { now: getTransactionStatus?.call(client) ?? null };
  statuses.set(client, status);
  client.on('error', () => undefined);
  // Before the driver's own listener, which answers the statement: by then the status must be the new one.
  connection?.prependListener?.('readyForQuery', (message) => {
    const said = message?.status;
    status.now = said === 'I' || said === 'T' || said === 'E' ? said : null;
  });
}

/**
 * Watches every connection of a pool, also those that were opened before: they are met when they are lent,
 * before their borrower gets them. Idle ones report to the pool, which ends the process without a listener.
 */
export function watchPool(pool: Pool, onError: (error: Error) => void): void {
  if (watchedPools.has(pool)) return;
  watchedPools.add(pool);
  pool.on('connect', watchConnection);
  pool.on('acquire', watchConnection);
  if (pool.listenerCount('error') === 0) pool.on('error', onError);
}

/** Refuses what is no pool of `pg`, by the name of what is missing. */
export function assertPool(pool: unknown): asserts pool is Pool {
  const given = (pool ?? {}) as Record<string, unknown>;
  const missing = ['connect', 'query', 'on', 'prependListener', 'listenerCount']
    .filter((name) => typeof given[name] !== 'function')
    .map((name) => `${name}()`);
  if (typeof given['options'] !== 'object' || given['options'] === null) missing.push('options');
  if (missing.length === 0) return;
  throw new TypeError(
    `database: this pool has no ${missing.join(', no ')}: give a pool of pg (new pg.Pool({ … })), or the url of the database`,
  );
}

/** Why the connections of a pool cannot be used, and what to do. */
export interface DriverFault {
  readonly check: 'driver' | 'search-path';
  readonly message: string;
  readonly remedy: string;
}

/** What can be said before a connection is made: the oldest drivers never make one. */
export function faultOfPool(pool: Pool): DriverFault | undefined {
  const found = packageOf((pool as { Client?: unknown }).Client);
  if (found?.name !== 'pg' || !isBefore(found.version, DRIVER_MIN)) return undefined;
  return {
    check: 'driver',
    message: `the pool is of pg ${found.version}, which does not work with this Node`,
    remedy: REMEDY,
  };
}

/** Tries on one connection of the pool what branches will need. Rejects when the connection is lost. */
export async function faultOfClient(client: PoolClient): Promise<DriverFault | undefined> {
  const driver = nameOf(client);
  if ((client as unknown as Wired).native !== undefined) {
    return {
      check: 'driver',
      message: `the pool makes connections of pg-native (${driver}), which hides the state of a transaction from its users`,
      remedy:
        'use the JavaScript driver: remove the package pg-native and NODE_PG_FORCE_NATIVE, or give TypeORM the option nativeDriver: false',
    };
  }
  const trial: unknown = await ask(client, { text: DRIVER_TRIAL });
  const begun = transactionStatusOf(client);
  const answer = Array.isArray(trial)
    ? (trial as { rows?: Trial[] }[]).at(-1)?.rows?.[0]
    : undefined;
  const flies = await fliesOn(client);
  await ask(client, { text: ROLLBACK });
  const ended = transactionStatusOf(client);
  const faults = [
    ...(begun === 'T' && ended === 'I' ? [] : ['do not report the state of a transaction']),
    ...(answer?.trial === true ? [] : ['do not answer a text of two statements']),
    ...(flies ? [] : ['do not take several statements at once']),
  ];
  if (faults.length === 0) return faultOfPath(answer?.schemas ?? []);
  const message = `the pool’s connections (${driver}) ${faults.join(' and ')}`;
  return { check: 'driver', message, remedy: REMEDY };
}

interface Trial {
  readonly trial?: unknown;
  /** The search path as it is in effect. */
  readonly schemas?: readonly string[];
}

/** Nothing may come before Postgres' own functions, operators and types: every statement means those. */
function faultOfPath(schemas: readonly string[]): DriverFault | undefined {
  // Temporary ones are never searched for functions and operators.
  const before = schemas.slice(0, Math.max(0, schemas.indexOf('pg_catalog')));
  const shadowing = before.filter((schema) => !schema.startsWith('pg_temp'));
  if (shadowing.length === 0) return undefined;
  return {
    check: 'search-path',
    message: `the search path of the pool’s connections puts ${shadowing.join(', ')} before pg_catalog, where functions may be others than Postgres’ own`,
    remedy: 'take pg_catalog out of search_path: it comes first where it is not named',
  };
}

/** Whether a branch can be closed on it: in several statements, with values, in one message. */
async function fliesOn(client: PoolClient): Promise<boolean> {
  const steps = [RUN_DEFERRED, { ...FLIGHT_TRIAL, values: ['there'] }];
  try {
    const [, answer] = await fly(client, steps, { named: false });
    return answer?.[0]?.['trial'] === 'there';
  } catch (error) {
    const garbled = sqlErrorOf(error)?.code === SqlState.protocolViolation;
    if (isConnectionLost(error) && !garbled) throw error;
    return false;
  }
}

const REMEDY = `give a pool of pg ${DRIVER_MIN} or newer: npm install pg@8`;

/** What a connection is made by, as people know it. */
function nameOf(client: PoolClient): string {
  const found = packageOf(client.constructor);
  return found ? `${found.name} ${found.version}` : 'a driver of unknown version';
}

/**
 * The package that a class of clients comes from, if Node loaded it from one: `pg` does not report its
 * version, and a service may have several.
 */
function packageOf(client: unknown): { name: string; version: string } | undefined {
  if (typeof client !== 'function') return undefined;
  const { cache } = createRequire(join(process.cwd(), 'any.js'));
  for (const [file, loaded] of Object.entries(cache)) {
    const root = /^(.*)[\\/]lib[\\/](?:native[\\/])?client\.js$/.exec(file)?.[1];
    const made = (loaded as { exports?: unknown } | undefined)?.exports;
    if (root === undefined || typeof made !== 'function') continue;
    if (client !== made && !(client.prototype instanceof made)) continue;
    try {
      return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
        name: string;
        version: string;
      };
    } catch {
      return undefined; // Bundled: the class is known, its package is not there.
    }
  }
  return undefined;
}

function isBefore(version: string, other: string): boolean {
  return version.localeCompare(other, 'en', { numeric: true }) < 0;
}
