/**
 * What is measured on: one Postgres with all databases, one NATS, the built coordinator and the
 * ledgers as processes of their own. Durable settings throughout.
 */
import { createHash, randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import {
  embeddedStack,
  freePort,
  spawnService,
  type Service,
  type TestStack,
} from '@concordat/testing';
import pg from 'pg';
import { assertDurable } from './durable.js';
import { ROOT } from './root.js';

const ACCOUNTS = 1_000;

/** An account that only this client uses: what is measured is the protocol, not waiting for locks. */
export function accountOf(client: number): string {
  return `a${client * 30 + Math.floor(Math.random() * 30)}`;
}

export interface Stage {
  readonly stack: TestStack;
  readonly coordinator: Service;
  /** The coordinator and the ledgers. */
  readonly services: readonly Service[];
  /** The address of each ledger's database. */
  readonly ledgers: readonly string[];
  readonly url: string;
  readonly key: string;
  readonly operatorKey: string;
  dispose(): Promise<void>;
}

/** A built app of this repository as a process of its own; resolves when it is ready. */
export async function startApp(
  { nats }: Pick<TestStack, 'nats'>,
  name: string,
  app: string,
  env: Record<string, string>,
  root = ROOT,
): Promise<{ readonly service: Service; readonly url: string }> {
  const port = await freePort();
  const service = await spawnService({
    name,
    args: [resolve(root, 'apps', app, 'dist/main.js')],
    env: { PATH: process.env['PATH'], PORT: String(port), NATS_URL: nats.url, ...env },
    readyWhen: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
  });
  return { service, url: `http://127.0.0.1:${port}` };
}

/** A key, and what a coordinator is given of it. */
export function makeKey(): { readonly key: string; readonly sha256: string } {
  const key = randomBytes(24).toString('base64url');
  return { key, sha256: createHash('sha256').update(key).digest('hex') };
}

/**
 * `root`: the checkout whose built services are measured; this one by default. `more`: names of ledgers
 * besides ledger-east and ledger-west. `env`: of the coordinator, besides the usual.
 */
export async function openStage(
  root = ROOT,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const stack = await embeddedStack();
  const services: Service[] = [];
  const ledgers: string[] = [];
  const client = makeKey();
  const operator = makeKey();
  const dispose = async (): Promise<void> => {
    await Promise.all(services.map((one) => one.stop()));
    await stack.dispose();
  };
  try {
    await assertDurable(stack.postgres.url());
    const start = async (name: string, app: string, env: Record<string, string>) => {
      const started = await startApp(stack, name, app, env, root);
      services.push(started.service);
      return started;
    };
    const coordinator = await start('coordinator', 'coordinator', {
      DATABASE_URL: stack.databases.concordat,
      CONCORDAT_CLIENT_KEY_SHA256: client.sha256,
      CONCORDAT_BEGINS_PER_SECOND_PER_KEY: '1000000', // One client is all of the load.
      CONCORDAT_OPERATOR_KEY_SHA256: operator.sha256,
      LOG_LEVEL: 'warn',
      ...env,
    });
    for (const name of ['ledger-east', 'ledger-west', ...more]) {
      const database = await stack.postgres.createDatabase(name.replaceAll('-', '_'));
      await start(name, 'ledger', { PARTICIPANT_NAME: name, DATABASE_URL: database });
      await fillAccounts(database);
      ledgers.push(database);
    }
    return {
      stack,
      coordinator: coordinator.service,
      services,
      ledgers,
      url: coordinator.url,
      key: client.key,
      operatorKey: operator.key,
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function fillAccounts(database: string): Promise<void> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query(
    `INSERT INTO account (id, balance) SELECT 'a' || n, 1000000000 FROM generate_series(0, $1) n`,
    [ACCOUNTS - 1],
  );
  await client.end();
}
