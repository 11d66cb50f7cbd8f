/**
 * The servers under the development stack: Postgres and NATS, given by address or started here on
 * data that survives restarts. Both are real; nothing is simulated.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createOwnedDatabase,
  isFree,
  startNats,
  startPostgres,
  type NatsServer,
  type PostgresServer,
} from '@concordat/testing';
import { portVariable, type DevConfig, type PortRole } from '../cli.config.js';
import { reasonOf, StartRefused, withoutPassword } from '../start-refused.js';
import { writePrivately } from './dev-file.js';
import { folderInUse } from './given-servers.js';
import type { Progress } from './progress.js';

export interface DevServers {
  readonly natsUrl: string;
  /** The address to administer with; each database has an owner of its own. */
  readonly postgresUrl: string;
  readonly databases: Readonly<{ concordat: string } & Record<string, string>>;
  readonly pids: Readonly<Record<string, number>>;
  /** Called once with each server started here that ends before `stop`. */
  onEnd(listener: (server: string, how: string) => void): void;
  stop(): Promise<void>;
}

/** Names every port of the stack with these services that is taken, with the variable that moves it. Throws when there is one. */
export async function assertPortsFree(
  config: DevConfig,
  services: readonly PortRole[],
): Promise<void> {
  const taken: string[] = [];
  for (const role of ['coordinator', 'nats', 'postgres', ...services] as const) {
    if (role === 'nats' && config.natsUrl) continue;
    if (role === 'postgres' && config.databaseUrl) continue;
    const port = config.ports[role];
    if (!(await isFree(port))) taken.push(`port ${port} (${role}, moved by ${portVariable(role)})`);
  }
  for (const port of config.moreCoordinators) {
    if (!(await isFree(port))) taken.push(`port ${port} (a coordinator, moved by CONCORDAT_PORT)`);
  }
  if (taken.length === 0) return;
  throw new StartRefused(
    `in use already: ${taken.join('; ')}`,
    'end what listens there (perhaps another development stack), or set the variable to a free port',
  );
}

/**
 * Finds or starts both servers and makes the databases: the coordinator's and these. What was started is
 * stopped by `stop`.
 */
export async function startServers(
  config: DevConfig,
  databaseNames: readonly string[],
  progress: Progress,
): Promise<DevServers> {
  let postgres: PostgresServer | undefined;
  let nats: NatsServer | undefined;
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    await Promise.allSettled([nats?.dispose(), postgres?.dispose()]);
  };
  try {
    if (!config.databaseUrl) postgres = await startOwnPostgres(config, progress);
    const postgresUrl = config.databaseUrl ?? (postgres as PostgresServer).url();
    const databases = await makeDatabases(postgresUrl, postgres, config, databaseNames, progress);
    if (!config.natsUrl) nats = await startOwnNats(config, progress);
    const natsUrl = config.natsUrl ?? (nats as NatsServer).url;
    const pids = {
      ...(postgres?.pid ? { postgres: postgres.pid } : {}),
      ...(nats?.pid ? { nats: nats.pid } : {}),
    };
    const own = { Postgres: postgres, NATS: nats };
    const onEnd: DevServers['onEnd'] = (listener) => {
      for (const [name, server] of Object.entries(own)) {
        void server?.exited?.then(({ code, signal }) => {
          if (!isStopping) listener(name, signal ?? `exit code ${code}`);
        });
      }
    };
    return { natsUrl, postgresUrl, databases, pids, onEnd, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startOwnPostgres(config: DevConfig, progress: Progress): Promise<PostgresServer> {
  const dataDir = join(config.dataDir, 'postgres');
  return progress.step(
    'Postgres',
    () =>
      startPostgres({ dataDir, port: config.ports.postgres }).catch((error: unknown) => {
        // Postgres itself keeps two servers off one folder, whichever way each was started.
        if (!/lock file "postmaster\.pid"/.test(reasonOf(error))) throw error;
        throw folderInUse(config.dataDir, 'its Postgres holds the data');
      }),
    (server) => `${server.version} on port ${server.port}`,
  );
}

function startOwnNats(config: DevConfig, progress: Progress): Promise<NatsServer> {
  const { natsServerBin, ports, dataDir } = config;
  const cacheDir = join(dataDir, 'cache');
  return progress.step(
    'NATS',
    () => startNats({ natsServerBin, port: ports.nats, cacheDir }),
    (server) => `${server.version} on port ${server.port}`,
  );
}

/** A given server's roles get passwords that only this data folder can derive. */
async function passwordOf(role: string, dataDir: string): Promise<string> {
  const path = join(dataDir, 'secret');
  let secret: string;
  try {
    secret = await readFile(path, 'utf8');
  } catch {
    secret = randomBytes(32).toString('base64url');
    await writePrivately(path, secret);
  }
  return createHmac('sha256', secret).update(role).digest('base64url');
}

async function databaseOn(url: string, name: string, dataDir: string): Promise<string> {
  try {
    return await createOwnedDatabase(url, name, await passwordOf(name, dataDir));
  } catch (error) {
    throw new StartRefused(
      `the database ${name} cannot be made at ${withoutPassword(url)} (DATABASE_URL): ${reasonOf(error)}`,
      'let DATABASE_URL name a role that may create roles and databases, or unset it to use a server of our own',
      { cause: error },
    );
  }
}

function makeDatabases(
  postgresUrl: string,
  own: PostgresServer | undefined,
  config: DevConfig,
  databaseNames: readonly string[],
  progress: Progress,
): Promise<DevServers['databases']> {
  const names = [...new Set(['concordat', ...databaseNames, ...config.moreDatabases])];
  return progress.step(
    'Databases',
    async () => {
      const urls: Record<string, string> = {};
      for (const name of names) {
        urls[name] = own
          ? await own.createDatabase(name)
          : await databaseOn(postgresUrl, name, config.dataDir);
      }
      return urls as DevServers['databases'];
    },
    () => names.join(', '),
  );
}
