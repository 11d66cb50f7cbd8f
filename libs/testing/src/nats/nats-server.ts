// A real nats-server on a port of its own: started, killed, paused and restarted on the same port, as
// the crash tests need it. Without JetStream: core NATS is our transport and holds no decision. It is
// ready when its greeting carries the name we gave it, which also proves that the port is not
// another server's.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchOnPort, type Launch } from '../ports/free-port.js';
import { StartedProcess, type Exit } from '../processes/child-process.js';
import { isStopped } from '../processes/process-tree.js';
import { waitFor } from '../waiting/wait-for.js';
import { findNats, type FindNatsOptions, type NatsBinary } from './find-nats.js';

export interface NatsOptions extends FindNatsOptions {
  /** Absent: a free one. It stays the same over restarts. */
  readonly port?: number;
  /** The text of a nats-server configuration file (accounts, limits), beside host and port. */
  readonly config?: string;
}

const START_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 5_000;
const GREETING_TIMEOUT_MS = 1_000;

/** Starts a nats-server and resolves once it greets. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const { port, config, log } = options;
  const binary = await findNats(options);
  const folder = config === undefined ? undefined : await configFolder(config);
  const server = new NatsServer(binary, folder);
  try {
    await server.start(port);
  } catch (error) {
    await server.dispose();
    throw error;
  }
  log?.(`nats: ${binary.version} of ${binary.origin} (${binary.path}) on 127.0.0.1:${server.port}`);
  return server;
}

export class NatsServer {
  readonly host = '127.0.0.1';
  private readonly name = `concordat-${randomBytes(6).toString('hex')}`;
  private running: StartedProcess | undefined;
  private chosenPort = 0;

  /** Use `startNats`. */
  constructor(
    private readonly binary: NatsBinary,
    private readonly folder: string | undefined,
  ) {}

  get version(): string {
    return this.binary.version;
  }

  get port(): number {
    return this.chosenPort;
  }

  get url(): string {
    return `nats://${this.host}:${this.port}`;
  }

  /** Undefined while the server is down. */
  get pid(): number | undefined {
    return this.alive ? this.running?.pid : undefined;
  }

  get alive(): boolean {
    return this.running !== undefined && this.running.exit === undefined;
  }

  /** Resolves when the process of the last start has ended; undefined before the first one. */
  get exited(): Promise<Exit> | undefined {
    return this.running?.exited;
  }

  /** What the server wrote since its last start. */
  output(): string {
    return this.running?.output.text() ?? '';
  }

  /** Starts the server; `port` is for the first start only. */
  async start(port?: number): Promise<void> {
    if (this.alive) return;
    this.chosenPort = await launchOnPort(
      'nats-server',
      port ?? (this.port || undefined),
      (candidate) => this.launch(candidate),
    );
  }

  /** Ends it in good order, which notifies its clients; a paused one is continued first. */
  async stop(): Promise<void> {
    const ended = this.running?.end('SIGTERM', STOP_GRACE_MS);
    this.resume();
    await ended;
  }

  /** SIGKILL: its clients learn it from the broken connection. */
  async kill(): Promise<void> {
    await this.running?.end('SIGKILL', STOP_GRACE_MS);
  }

  /**
   * SIGSTOP: connections stay open without answers, as on a frozen machine. Resolves once it has
   * really stopped.
   */
  async pause(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    this.running?.signal('SIGSTOP');
    await waitFor(() => isStopped(pid), { what: 'nats-server to stop', everyMs: 1 });
  }

  /** SIGCONT: what clients sent meanwhile is delivered late. */
  resume(): void {
    this.running?.signal('SIGCONT');
  }

  /** The same port again; a server that is up is stopped first. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops the server and removes what was made for it. */
  async dispose(): Promise<void> {
    await this.stop();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  private async launch(port: number): Promise<Launch<number>> {
    const config = this.folder ? ['-c', join(this.folder, 'nats.conf')] : [];
    const running = await StartedProcess.start({
      name: 'nats-server',
      command: this.binary.path,
      args: [...config, '-a', this.host, '-p', String(port), '-n', this.name],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      orphan: { signal: 'SIGKILL', folder: this.folder },
    });
    this.running = running;
    this.chosenPort = port;
    try {
      const ready = waitFor(
        async () => running.exit !== undefined || (await greetingOf(port)).includes(this.name),
        { what: 'nats-server to greet', timeoutMs: START_TIMEOUT_MS },
      );
      await Promise.race([ready, running.exited]);
    } catch (error) {
      const words = await running.lastWords();
      await this.kill();
      throw new Error(`${(error as Error).message}\n${words}`, { cause: error });
    }
    if (!running.exit) return { up: port };
    const words = await running.lastWords();
    if (/address already in use/i.test(words)) return { portTaken: true };
    throw new Error(`nats-server ended while starting on port ${port}; it said:\n${words}`);
  }
}

async function configFolder(config: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'concordat-nats-'));
  await writeFile(join(folder, 'nats.conf'), config, { mode: 0o600 });
  return folder;
}

/** The INFO line that a NATS server sends to each client that connects. */
function greetingOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(GREETING_TIMEOUT_MS, () => socket.destroy(new Error('no greeting in time')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      socket.destroy();
      resolve(text);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before a greeting')));
  });
}
