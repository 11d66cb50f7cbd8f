/**
 * How many connections an instance may open, against what its role, its database and the server allow.
 * Guards liveness: a connection that is refused when a decision is to be carried out delays it until
 * another one is given back, and under load nothing says why.
 */
import type { Pool } from 'pg';
import { CONNECTION_LIMITS } from './connections.sql.js';
import { failure, warning, type Finding } from './finding.js';
import type { PostgresResource } from './postgres-resource.js';

/** The closer look for operators has a connection of its own. */
export const INSPECTION_CONNECTIONS = 1;

/** One branch at work, and one that is finished meanwhile: nothing works with less. */
const CONNECTIONS_MIN = 2;
const POOL_DEFAULT = 10;

export interface ConnectionLimits {
  readonly role: string;
  readonly database: string;
  readonly superuser: boolean;
  /** -1: none. */
  readonly roleLimit: number;
  readonly databaseLimit: number;
  readonly serverMax: number;
  readonly superuserReserved: number;
  /** What others may not use; 0 for a role that may. */
  readonly reserved: number;
}

/** What one instance opens at most. */
export interface ConnectionNeed {
  readonly pool: number;
  readonly secondPhase: number;
  readonly inspection: number;
}

/** What is wrong with the limits for this instance; nothing where a pooler has limits of its own. */
export async function connectionFindings(resource: PostgresResource): Promise<Finding[]> {
  const limits = await limitsOf(resource.secondPhasePool);
  return limits ? judgeConnections(connectionNeed(resource), limits) : [];
}

export function connectionNeed(resource: PostgresResource): ConnectionNeed {
  return {
    pool: resource.sessions.options.max ?? POOL_DEFAULT,
    secondPhase: resource.secondPhasePool.options.max ?? POOL_DEFAULT,
    inspection: INSPECTION_CONNECTIONS,
  };
}

/** The arithmetic as it is shown: `25 (pool 16 + finishing 8 + inspection 1)`. */
export function describeNeed({ pool, secondPhase, inspection }: ConnectionNeed): string {
  const sum = pool + secondPhase + inspection;
  return `${sum} (pool ${pool} + finishing ${secondPhase} + inspection ${inspection})`;
}

/** Compares; pure. Superusers are exempt from the limits of role and database. */
export function judgeConnections(need: ConnectionNeed, limits: ConnectionLimits): Finding[] {
  const { role, database, superuser, roleLimit, databaseLimit } = limits;
  const { serverMax, superuserReserved, reserved } = limits;
  const sum = need.pool + need.secondPhase + need.inspection;
  const keptBack = superuser ? 0 : superuserReserved + reserved;
  const raise = (what: string): string =>
    `${what}: ${sum} for each instance that runs at once, and those of everything else; or make the pool smaller`;
  const bounds = [
    {
      limit: superuser ? -1 : roleLimit,
      whose: `role ${role} may have ${roleLimit} (CONNECTION LIMIT)`,
      remedy: raise('raise it with ALTER ROLE … CONNECTION LIMIT'),
    },
    {
      limit: superuser ? -1 : databaseLimit,
      whose: `database ${database} takes ${databaseLimit} (CONNECTION LIMIT)`,
      remedy: raise('raise it with ALTER DATABASE … CONNECTION LIMIT'),
    },
    {
      limit: serverMax - keptBack,
      whose:
        `the server takes ${serverMax - keptBack} from all clients together ` +
        `(max_connections ${serverMax} - reserved ${keptBack})`,
      remedy: raise('raise max_connections and restart the server'),
    },
  ];
  return bounds
    .filter(({ limit }) => limit >= 0 && limit < sum)
    .map(({ limit, whose, remedy }) => {
      const found = `this instance opens up to ${describeNeed(need)} connections, but ${whose}`;
      return limit < CONNECTIONS_MIN
        ? failure('connections', `${found}, and needs ${CONNECTIONS_MIN} at once`, remedy)
        : warning('connections', `${found}: under load, decisions wait for one`, remedy);
    });
}

async function limitsOf(pool: Pool): Promise<ConnectionLimits | undefined> {
  const client = await pool.connect();
  const ignore = (): void => undefined; // The statement is rejected with the same error.
  client.on('error', ignore);
  let isClean = false;
  try {
    const { rows } = await client.query<ConnectionLimits & { backend: number }>(CONNECTION_LIMITS);
    isClean = true;
    const { processID } = client as unknown as { processID: number | null };
    return rows[0]?.backend === processID ? rows[0] : undefined;
  } finally {
    client.removeListener('error', ignore);
    client.release(!isClean);
  }
}
