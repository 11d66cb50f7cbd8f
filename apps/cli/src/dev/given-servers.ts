/**
 * What the development stack is given rather than starts: an existing Postgres, an existing nats-server, a
 * data folder that another stack may be using. Guards "reported at once": a wrong address is reported before
 * anything is started, with the variable that holds it, and not by a service that waits for it.
 */
import { connectChannel } from '@concordat/channel';
import { ConcordatClient } from '@concordat/client';
import type { DevConfig } from '../cli.config.js';
import { reasonOf, StartRefused, withoutPassword } from '../start-refused.js';
import { readDevFile } from './dev-file.js';
import { preparedSlots } from './prepared-slots.sql.js';

const BROKER_MS = 3_000;
const ANSWER_MS = 2_000;

/** Throws {@link StartRefused} when a given server is not there, or not fit. */
export async function assertGivenServersAnswer({ databaseUrl, natsUrl }: DevConfig): Promise<void> {
  if (databaseUrl) await assertPostgres(databaseUrl);
  if (natsUrl) await assertBroker(natsUrl);
}

/** Throws {@link StartRefused} when a stack runs in the data folder already, on any ports. */
export async function assertFolderUnused({ dataDir }: DevConfig): Promise<void> {
  const dev = await readDevFile(dataDir);
  if (!dev) return;
  const { coordinatorUrl: url, apiKey, clusterId } = dev;
  const client = new ConcordatClient({ url, apiKey, retries: 0, requestTimeoutMs: ANSWER_MS });
  // Another folder's stack on the same port does not know this one's key.
  const isOurs = await client.cluster().then(
    (one) => one.clusterId === clusterId,
    () => false,
  );
  if (isOurs) throw folderInUse(dataDir, `its coordinator answers at ${url}`);
}

/** Two stacks in one folder would share their data and overwrite each other's dev.json. */
export function folderInUse(dataDir: string, because: string): StartRefused {
  return new StartRefused(
    `a development stack runs in ${dataDir} already: ${because}`,
    'end that one (Ctrl-C in its window), or set CONCORDAT_DATA_DIR, and the ports, for a second one',
  );
}

async function assertPostgres(url: string): Promise<void> {
  const where = withoutPassword(url);
  let slots: number;
  try {
    slots = await preparedSlots(url);
  } catch (error) {
    throw new StartRefused(
      `no Postgres can be used at ${where} (DATABASE_URL): ${reasonOf(error)}`,
      'start it, correct DATABASE_URL, or unset DATABASE_URL to use a server of our own',
      { cause: error },
    );
  }
  if (slots > 0) return;
  throw new StartRefused(
    `the Postgres at ${where} (DATABASE_URL) keeps no prepared transactions: max_prepared_transactions is 0`,
    'set max_prepared_transactions to 64 or more there and restart it, or unset DATABASE_URL to use a server of our own',
  );
}

async function assertBroker(natsUrl: string): Promise<void> {
  const servers = natsUrl.split(',').map((one) => one.trim());
  try {
    const name = 'concordat dev, first look';
    const connection = await connectChannel({ servers, name, firstConnectMs: BROKER_MS });
    await connection.close();
  } catch (error) {
    const why = error instanceof Error && error.cause ? error.cause : error;
    throw new StartRefused(
      `no NATS server can be used at ${servers.map(withoutPassword).join(', ')} (NATS_URL): ${reasonOf(why)}`,
      'start it, correct NATS_URL, or unset NATS_URL to use a server of our own',
      { cause: error },
    );
  }
}
