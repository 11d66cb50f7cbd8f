/**
 * Which database a pool leads to. Guards "a branch's work lands in its own database": pools are
 * compared by what their connections are opened with, and messages name a target without its secrets.
 */
import pg from 'pg';
import type { ClientConfig, Pool } from 'pg';

export interface PoolTarget {
  readonly host: string;
  readonly port: number;
  readonly database: string | undefined;
  readonly user: string | undefined;
}

const targets = new WeakMap<Pool, PoolTarget>();
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1', '']);

/** Where a pool's connections go, by its options and what pg adds to them (`PGHOST` and the like). */
export function targetOf(pool: Pool): PoolTarget {
  let target = targets.get(pool);
  if (!target) targets.set(pool, (target = resolve(pool.options as ClientConfig)));
  return target;
}

/** Whether both lead to one database as one user, as far as their options show. */
export function sameTarget(one: Pool, other: Pool): boolean {
  if (one === other) return true;
  const [a, b] = [targetOf(one), targetOf(other)];
  return (
    hostOf(a) === hostOf(b) && a.port === b.port && a.database === b.database && a.user === b.user
  );
}

/** `database "orders" at db.example:5432`. */
export function describeTarget(pool: Pool): string {
  const { host, port, database } = targetOf(pool);
  return `database "${database ?? ''}" at ${host}:${port}`;
}

/** The same, and as which user. */
export function describeLogin(pool: Pool): string {
  return `${describeTarget(pool)} as user "${targetOf(pool).user ?? ''}"`;
}

/** A client that never connects: pg itself merges address, options and defaults. */
function resolve({ connectionString, host, port, database, user, ssl }: ClientConfig): PoolTarget {
  const client = new pg.Client({ connectionString, host, port, database, user, ssl });
  const { host: reached, port: at, database: name, user: as } = client;
  return { host: reached, port: at, database: name, user: as };
}

function hostOf({ host }: PoolTarget): string {
  const name = host.toLowerCase();
  return LOOPBACK.has(name) ? 'localhost' : name;
}
