/**
 * The demonstration's own services: ledgers under other names, beside the development stack's and on
 * servers of their own, so that they can be broken without breaking what somebody else tries out.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  freePort,
  spawnService,
  startPostgres,
  type PostgresServer,
  type Service,
} from '@concordat/testing';
import type { DevFile } from '../dev/dev-file.js';
import { mainOf } from '../dev/places.js';
import { isReady } from '../dev/services.js';

/** Each is a ledger; the names suggest a shop. */
export const PARTICIPANTS = {
  storefront: 'main',
  payments: 'main',
  loyalty: 'main',
  archive: 'main',
  shipping: 'main',
  warehouse: 'fragile',
  vouchers: 'narrow',
} as const;
export type DemoParticipant = keyof typeof PARTICIPANTS;
type ServerName = (typeof PARTICIPANTS)[DemoParticipant];

/** Prepared slots of the server that runs out of them. */
export const NARROW_SLOTS = 4;

const SETTINGS: Record<ServerName, Record<string, number>> = {
  main: {},
  fragile: {},
  narrow: { max_prepared_transactions: NARROW_SLOTS },
};
const READY_TIMEOUT_MS = 60_000;

export class DemoStage {
  private readonly dev: DevFile;
  private readonly servers = new Map<ServerName, PostgresServer>();
  private readonly services = new Map<DemoParticipant, Service>();
  private readonly urls = new Map<DemoParticipant, string>();

  private constructor(dev: DevFile) {
    this.dev = dev;
  }

  /** Starts servers and services. What an earlier run left behind is settled by them meanwhile. */
  static async start(dataDir: string, dev: DevFile): Promise<DemoStage> {
    const stage = new DemoStage(dev);
    try {
      await stage.startServers(dataDir);
      const names = Object.keys(PARTICIPANTS) as DemoParticipant[];
      await Promise.all(names.map((name) => stage.startService(name)));
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  /** A participant's database, as its own role. */
  url(name: DemoParticipant): string {
    const url = this.urls.get(name);
    if (!url) throw new Error(`${name} has no database yet`);
    return url;
  }

  /** A participant's database, as its server's administrator. */
  adminUrl(name: DemoParticipant): string {
    return this.server(PARTICIPANTS[name]).url(name);
  }

  /** The process dies at once and is not started again until `startService`. */
  async killService(name: DemoParticipant): Promise<void> {
    const service = this.services.get(name);
    service?.kill('SIGKILL');
    await service?.exited;
  }

  async startService(name: DemoParticipant): Promise<void> {
    if (this.services.get(name)?.alive) return;
    const port = await freePort();
    const service = await spawnService({
      name,
      args: [mainOf('ledger')],
      env: {
        PARTICIPANT_NAME: name,
        DATABASE_URL: this.url(name),
        NATS_URL: this.dev.natsUrl,
        PORT: String(port),
      },
      readyWhen: () => isReady(`http://127.0.0.1:${port}`),
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    this.services.set(name, service);
  }

  /** The database server goes away as in a crash; its data stays. */
  async crashServerOf(name: DemoParticipant): Promise<void> {
    await this.server(PARTICIPANTS[name]).stop({ mode: 'immediate' });
  }

  async startServerOf(name: DemoParticipant): Promise<void> {
    await this.server(PARTICIPANTS[name]).start();
  }

  async stop(): Promise<void> {
    await Promise.allSettled([...this.services.values()].map((one) => one.stop()));
    await Promise.allSettled([...this.servers.values()].map((one) => one.dispose()));
  }

  private async startServers(dataDir: string): Promise<void> {
    const names = Object.keys(SETTINGS) as ServerName[];
    const started = await Promise.allSettled(
      names.map(async (name) => {
        const server = await startPostgres({
          dataDir: join(dataDir, 'demo', name),
          settings: SETTINGS[name],
        });
        this.servers.set(name, server);
      }),
    );
    const failed = started.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    for (const [name, server] of Object.entries(PARTICIPANTS)) {
      const url = await this.server(server).createDatabase(name);
      this.urls.set(name as DemoParticipant, url);
    }
  }

  private server(name: ServerName): PostgresServer {
    const server = this.servers.get(name);
    if (!server) throw new Error(`the server ${name} has not been started`);
    return server;
  }
}

/** A short name that no earlier run has used. */
export function freshName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
