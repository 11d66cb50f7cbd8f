/**
 * The services of the development stack, each a process of its own, started again when it dies: so
 * `kill -9` on any of them is a thing to try, not the end of the stack.
 */
import { spawnService, type Service } from '@concordat/testing';
import type { DevConfig } from '../cli.config.js';
import type { DevKeys } from './keys.js';
import { mainOf } from './places.js';
import type { DevServers } from './servers.js';

export interface ServiceSpec {
  readonly name: string;
  readonly main: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
}

/** The coordinators that are started, one of them before the others. */
export function coordinatorSpecs(
  config: DevConfig,
  { natsUrl, databases }: DevServers,
  keys: DevKeys,
): readonly [first: ServiceSpec, ...more: ServiceSpec[]] {
  const { ports, moreCoordinators } = config;
  const coordinator = (name: string, port: number) => ({
    name,
    main: mainOf('coordinator'),
    port,
    env: {
      PORT: String(port),
      DATABASE_URL: databases.concordat,
      NATS_URL: natsUrl,
      CONCORDAT_KEYS_FILE: keys.hashesFile,
      CONCORDAT_DRAIN_NOTICE_MS: '0', // Nothing balances in front of it.
    },
  });
  return [
    coordinator('coordinator', ports.coordinator),
    ...moreCoordinators.map((port, n) => coordinator(`coordinator-${n + 2}`, port)),
  ];
}

const RESTART_PAUSE_MS = 500;
const READY_TIMEOUT_MS = 60_000;
const ANSWER_MS = 5_000;

/** One service, kept running until `stop`. */
export class KeptService {
  private service?: Service;
  private stopping = false;

  private constructor(
    readonly spec: ServiceSpec,
    private readonly log: (line: string) => void,
    private readonly changed: () => void,
  ) {}

  /** Starts the service and resolves once `/readyz` says ready. */
  static async start(
    spec: ServiceSpec,
    log: (line: string) => void,
    changed: () => void,
  ): Promise<KeptService> {
    const kept = new KeptService(spec, log, changed);
    await kept.launch();
    return kept;
  }

  get pid(): number | undefined {
    return this.service?.alive ? this.service.pid : undefined;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.service?.stop();
  }

  private async launch(): Promise<void> {
    const { spec } = this;
    const service = await spawnService({
      name: spec.name,
      args: [spec.main],
      env: { ...process.env, ...spec.env },
      readyWhen: () => isReady(`http://127.0.0.1:${spec.port}`),
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    this.service = service;
    void service.exited.then(({ code, signal }) => this.relaunch(signal ?? `exit code ${code}`));
  }

  private async relaunch(how: string): Promise<void> {
    if (this.stopping) return;
    this.log(`${this.spec.name} ended (${how}); starting it again`);
    while (!this.stopping) {
      try {
        await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
        if (this.stopping) return;
        await this.launch();
        this.log(`${this.spec.name} is ready again, pid ${this.pid}`);
        this.changed();
        return;
      } catch (error) {
        this.log(error instanceof Error ? error.message : String(error));
      }
    }
  }
}

/** A process that listens there and says nothing is not ready. */
export async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) })).ok;
  } catch {
    return false;
  }
}
