/**
 * A development stack: servers, one coordinator or several, the services of a topology, one real transaction,
 * then up until Ctrl-C. Data stays in `.concordat/`. `concordat dev`, which `npm start` runs, has two ledgers and
 * an inventory; `npm run example` has other services.
 */
import { ConcordatClient } from '@concordat/client';
import type { DevConfig } from '../cli.config.js';
import { devFilePath, writeDevFile } from './dev-file.js';
import { assertFolderUnused, assertGivenServersAnswer } from './given-servers.js';
import { devKeys, type DevKeys } from './keys.js';
import { mainOf } from './places.js';
import { Progress } from './progress.js';
import { assertPortsFree, startServers, type DevServers } from './servers.js';
import { KeptService, coordinatorSpecs, type ServiceSpec } from './services.js';
import type { Topology } from './topology.js';

const WONDERS_AFTER_MS = 1_000;

/** Starts everything, runs the first transaction, and resolves when `stopped` does and all has ended. */
export async function runDevStack(
  config: DevConfig,
  topology: Topology,
  stopped: Promise<void>,
): Promise<void> {
  const progress = new Progress();
  const kept: KeptService[] = [];
  let servers: DevServers | undefined;
  progress.say(topology.title);
  for (const name of config.notRead) {
    progress.say(
      `  ! ${name} is ignored: the development stack passes no settings to its services.`,
    );
  }
  try {
    await assertFolderUnused(config);
    await assertPortsFree(config, topology.ports);
    await assertGivenServersAnswer(config);
    servers = await startServers(config, topology.databases, progress);
    servers.onEnd((name, how) =>
      progress.say(
        `  ! ${name} ended (${how}): nothing can be decided without it. Ctrl-C, then start again: its data is kept.`,
      ),
    );
    const keys = await progress.step(
      'API keys',
      () => devKeys(config.dataDir, mainOf('coordinator')),
      () => 'of a client, a viewer, an operator and one that may force',
    );
    await startServices({ config, topology, servers, keys }, progress, kept);
    const urls = coordinatorUrls(config);
    await topology.first(new ConcordatClient({ url: urls, apiKey: keys.apiKey }), config, progress);
    sayWhere(config, progress);
    for (const line of topology.hints(config)) progress.say(line);
    progress.say(`Ready after ${progress.elapsed()}. Ctrl-C stops everything; data stays.`);
    await stopped;
    progress.say('\nStopping: what is open is finished first. Ctrl-C again ends at once.');
  } finally {
    await Promise.allSettled([...kept].reverse().map((one) => ended(one, progress)));
    await servers?.stop();
  }
}

/** Ends a service, and says so when that took so long that somebody may wonder. */
async function ended(service: KeptService, progress: Progress): Promise<void> {
  const name = service.spec.name;
  const timer = setTimeout(
    () => progress.say(`  … ${name} finishes what it has`),
    WONDERS_AFTER_MS,
  );
  try {
    await service.stop();
  } finally {
    clearTimeout(timer);
  }
}

interface Stage {
  readonly config: DevConfig;
  readonly topology: Topology;
  readonly servers: DevServers;
  readonly keys: DevKeys;
}

async function startServices(
  { config, topology, servers, keys }: Stage,
  progress: Progress,
  kept: KeptService[],
): Promise<void> {
  const log = (line: string) => progress.say(`  ! ${line}`);
  // Asked once: when a service is back, the coordinator may be the next one that died.
  const cluster: { id?: string } = {};
  let written: Promise<void> = Promise.resolve();
  const note = () => {
    const { id } = cluster;
    if (id === undefined) return; // The start is not over, and ends with writing it.
    written = written
      .then(() => writeWhere({ config, servers, keys }, id, kept))
      .catch((error: unknown) => log(`dev.json was not written: ${String(error)}`));
  };
  // The coordinator first: it makes the cluster id that the participants ask for.
  const coordinators = coordinatorSpecs(config, servers, keys);
  const participants = topology.participants(config, servers, keys);
  const [first, ...more] = coordinators;
  const launch = async (spec: ServiceSpec) => {
    const one = await KeptService.start(spec, log, note);
    kept.push(one);
    return one;
  };
  await progress.step(
    more.length === 0 ? 'Coordinator' : `${coordinators.length} coordinators`,
    async () => [await launch(first), ...(await Promise.all(more.map(launch)))],
    (all) => all.map((one) => addressOf(one.spec.port)).join(', '),
  );
  await progress.step(
    'Participants',
    () => Promise.all(participants.map(launch)),
    (all) => all.map((one) => `${one.spec.name} ${one.spec.port}`).join(', '),
  );
  cluster.id = await clusterIdOf(coordinatorUrls(config), keys.adminKey);
  await writeWhere({ config, servers, keys }, cluster.id, kept);
}

async function writeWhere(
  { config, servers, keys }: Omit<Stage, 'topology'>,
  clusterId: string,
  kept: readonly KeptService[],
): Promise<void> {
  const urls = coordinatorUrls(config);
  const [coordinatorUrl] = urls;
  const pids = Object.fromEntries(
    kept.flatMap((one) => (one.pid === undefined ? [] : [[one.spec.name, one.pid] as const])),
  );
  await writeDevFile(config.dataDir, {
    coordinatorUrl,
    coordinatorUrls: urls,
    adminUrl: `${coordinatorUrl}/admin`,
    natsUrl: servers.natsUrl,
    postgresUrl: servers.postgresUrl,
    databases: servers.databases,
    clusterId,
    apiKey: keys.apiKey,
    viewerKey: keys.viewerKey,
    adminKey: keys.adminKey,
    forceKey: keys.forceKey,
    services: Object.fromEntries(
      kept.map((one) => [one.spec.name, `http://127.0.0.1:${one.spec.port}`]),
    ),
    pids: { ...servers.pids, ...pids },
  });
}

async function clusterIdOf(url: readonly string[], key: string): Promise<string> {
  const client = new ConcordatClient({ url, apiKey: key });
  return (await client.cluster()).clusterId;
}

function addressOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function coordinatorUrls(config: DevConfig): [first: string, ...more: string[]] {
  return [addressOf(config.ports.coordinator), ...config.moreCoordinators.map(addressOf)];
}

function sayWhere(config: DevConfig, progress: Progress): void {
  const [url] = coordinatorUrls(config);
  progress.say();
  progress.say(`  REST API   ${url}/v1`);
  progress.say(`  API docs   ${url}/docs`);
  progress.say(`  admin view ${url}/admin/ (sign in with the adminKey)`);
  progress.say(`  keys, pids ${devFilePath(config.dataDir)}`);
  progress.say();
}
