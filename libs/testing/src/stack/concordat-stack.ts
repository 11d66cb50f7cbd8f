// The stack for a service's own end-to-end tests: Postgres with a database for each service, NATS, and a
// coordinator as a process of its own, all on ports of their own.

import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { startNats, type NatsOptions, type NatsServer } from '../nats/nats-server.js';
import { freePort } from '../ports/free-port.js';
import {
  startPostgres,
  type PostgresOptions,
  type PostgresServer,
} from '../postgres/postgres-server.js';
import { spawnService, type Service } from '../processes/service.js';

export interface ConcordatOptions {
  /** A database for each service under test, by name; each is owned by a role of its own. */
  readonly databases?: readonly string[];
  readonly postgres?: PostgresOptions;
  readonly nats?: NatsOptions;
  /**
   * The coordinator's program. Default: that of the package `@concordat/coordinator`, as it is installed for
   * the current folder.
   */
  readonly coordinatorMain?: string;
  /** More environment of the coordinator. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ConcordatStack {
  readonly coordinatorUrl: string;
  /** A key of scope client. */
  readonly apiKey: string;
  readonly natsUrl: string;
  /** The address of each database that was asked for. */
  readonly databases: Readonly<Record<string, string>>;
  readonly postgres: PostgresServer;
  readonly nats: NatsServer;
  /** Its process, to be killed and started again by a test. */
  readonly coordinator: Service;
  /** Ends everything and removes all data. */
  dispose(): Promise<void>;
}

const COORDINATOR = 'concordat';

/**
 * Starts Postgres, NATS and a coordinator, which is ready when this resolves. Rejects, with nothing left
 * running, when one of them does not start, or when `@concordat/coordinator` is not installed.
 */
export async function startConcordat(options: ConcordatOptions = {}): Promise<ConcordatStack> {
  const { databases: names = [], env = {} } = options;
  const main = options.coordinatorMain ?? coordinatorMain();
  const begun: { postgres?: PostgresServer; nats?: NatsServer; coordinator?: Service } = {};
  const dispose = async () => {
    await begun.coordinator?.stop();
    await Promise.all([begun.postgres?.dispose(), begun.nats?.dispose()]);
  };
  try {
    const postgres = (begun.postgres = await startPostgres(options.postgres));
    const nats = (begun.nats = await startNats(options.nats));
    const databases: Record<string, string> = {};
    for (const name of names) databases[name] = await postgres.createDatabase(name);
    const apiKey = randomBytes(24).toString('base64url');
    const port = await freePort();
    const coordinatorUrl = `http://127.0.0.1:${port}`;
    const coordinator = (begun.coordinator = await spawnService({
      name: 'coordinator',
      args: [main],
      env: {
        ...surroundings(),
        PORT: String(port),
        DATABASE_URL: await postgres.createDatabase(COORDINATOR),
        NATS_URL: nats.url,
        CONCORDAT_CLIENT_KEY_SHA256: createHash('sha256').update(apiKey).digest('hex'),
        CONCORDAT_DRAIN_NOTICE_MS: '0', // Nothing balances in front of it.
        ...env,
      },
      readyWhen: () => isReady(coordinatorUrl),
    }));
    return {
      coordinatorUrl,
      apiKey,
      natsUrl: nats.url,
      databases,
      ...{ postgres, nats, coordinator, dispose },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function coordinatorMain(): string {
  const require = createRequire(join(process.cwd(), 'package.json'));
  try {
    const manifest = require.resolve('@concordat/coordinator/package.json');
    return join(dirname(manifest), 'dist', 'main.js');
  } catch (error) {
    throw new Error(
      `@concordat/coordinator is not installed for ${process.cwd()}: npm install --save-dev @concordat/coordinator, or give coordinatorMain`,
      { cause: error },
    );
  }
}

/** What a program needs to run, and nothing that the service under test is configured with. */
function surroundings(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}
