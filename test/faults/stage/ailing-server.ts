/**
 * A Postgres on ailing disks: its log on a small memory-backed disk that can be filled, another such
 * disk for tables, and an fdatasync that fails on command. What this machine does not allow (mounts
 * need root, the shim a compiler) is left out, and said.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readlinkSync, writeSync } from 'node:fs';
import { chmod, cp, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  spawnService,
  startPostgres,
  waitFor,
  type PostgresServer,
  type Service,
} from '@concordat/testing';
import pg from 'pg';

const SHIM = resolve(import.meta.dirname, 'failing-fsync.c');
const isRoot = process.getuid?.() === 0;

/** Whether memory-backed disks can be mounted here: asked of the kernel, by doing it. */
export const CAN_MOUNT = isRoot && tryMount();
export const CAN_COMPILE = spawnSync('gcc', ['--version']).status === 0;

const WAL_DISK = '96m';
const TABLE_DISK = '6m';
const SETTINGS = {
  max_connections: 100,
  max_prepared_transactions: 50,
  min_wal_size: '32MB',
  max_wal_size: '48MB',
  unix_socket_directories: '',
  listen_addresses: '127.0.0.1',
  timezone: 'UTC',
};

export class AilingServer {
  private running?: Service;
  private mounted: string[] = [];

  private constructor(
    /** For its addresses; started and stopped by this class. */
    readonly server: PostgresServer,
    private readonly database: string,
    private readonly home: string,
    private readonly binary: string,
    private readonly owner: string,
  ) {}

  /** A server with this database, owned by a role of the same name. */
  static async start(database: string): Promise<AilingServer> {
    const home = await mkdtemp(join(tmpdir(), 'concordat-ailing-'));
    await chmod(home, 0o755);
    const server = await startPostgres({ dataDir: join(home, 'postgres') });
    await server.createDatabase(database);
    const binary = readlinkSync(`/proc/${String(server.pid)}/exe`);
    const owner = spawnSync('stat', ['-c', '%U', server.dataDir], { encoding: 'utf8' });
    await server.stop();
    const ailing = new AilingServer(server, database, home, binary, owner.stdout.trim());
    try {
      await ailing.furnish();
      await ailing.start();
    } catch (error) {
      await ailing.dispose();
      throw error;
    }
    return ailing;
  }

  get alive(): boolean {
    return this.running?.alive ?? false;
  }

  output(): string {
    return this.running?.output() ?? '';
  }

  async start(): Promise<void> {
    const settings = { ...SETTINGS, port: this.server.port };
    const args = [
      ...(CAN_COMPILE
        ? [`LD_PRELOAD=${this.at('failing-fsync.so')}`, `FAULT_FLAG=${this.at('flags/fsync')}`]
        : []),
      this.binary,
      ...['-D', this.server.dataDir],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    const as = isRoot
      ? ['setpriv', `--reuid=${this.owner}`, `--regid=${this.owner}`, '--clear-groups']
      : [];
    const [command = 'env', ...rest] = [...as, 'env', ...args];
    this.running = await spawnService({
      name: 'the ailing Postgres',
      command,
      args: rest,
      env: { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      readyWhen: () => this.answers(),
    });
  }

  /** A fast shutdown: what is open is rolled back, what is prepared stays. */
  async stop(): Promise<void> {
    this.running?.kill('SIGINT');
    await this.running?.exited;
  }

  /** It crashes in an orderly way: nothing of what is open is kept, all that was flushed is. */
  async crash(): Promise<void> {
    if (this.running?.alive) process.kill(this.running.pid, 'SIGQUIT');
    await this.running?.exited;
  }

  /** Runs SQL in its database as only somebody at the server can. */
  async asSuperuser(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.server.url(this.database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** Waits until it takes statements, and starts it when it has given up. */
  async recovered(): Promise<void> {
    await waitFor(
      async () => {
        if (!this.alive) await this.start();
        return this.answers();
      },
      { what: 'the server to recover', timeoutMs: 30_000 },
    );
  }

  /** The next fdatasync of a PREPARE TRANSACTION fails. */
  failNextFsync(): Promise<void> {
    return writeFile(this.at('flags/fsync'), '');
  }

  /** Whether it has failed. */
  get fsyncHasFailed(): boolean {
    return !existsSync(this.at('flags/fsync'));
  }

  /** Where tables can be on the small disk. */
  get tablespace(): string {
    return this.at('tables/space');
  }

  /** Leaves no byte free on a disk; the returned function frees space again. */
  fill(disk: 'wal' | 'tables'): () => Promise<void> {
    const ballast = this.at(`${disk}/ballast`);
    const file = openSync(ballast, 'w');
    const block = Buffer.alloc(4_096);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
    return () => rm(ballast, { force: true });
  }

  /** Copies the data aside, as a backup of the stopped server would. */
  async backUp(): Promise<void> {
    await rm(this.at('backup'), { recursive: true, force: true });
    run('cp', ['-aL', this.server.dataDir, this.at('backup')]);
  }

  /** Puts the copy back in place of the data. */
  async restoreBackup(): Promise<void> {
    await rm(this.server.dataDir, { recursive: true, force: true });
    run('cp', ['-a', this.at('backup'), this.server.dataDir]);
  }

  async dispose(): Promise<void> {
    await this.stop();
    for (const disk of this.mounted) run('umount', [disk]);
    await rm(this.home, { recursive: true, force: true });
  }

  private async furnish(): Promise<void> {
    mkdirSync(this.at('flags'));
    await chmod(this.at('flags'), 0o777);
    if (CAN_COMPILE) {
      run('gcc', ['-shared', '-fPIC', '-O1', '-o', this.at('failing-fsync.so'), SHIM, '-ldl']);
    }
    if (!CAN_MOUNT) return;
    this.mount('wal', WAL_DISK);
    this.mount('tables', TABLE_DISK);
    mkdirSync(this.tablespace);
    const log = join(this.server.dataDir, 'pg_wal');
    await cp(log, this.at('wal/pg_wal'), { recursive: true });
    await rename(log, this.at('pg_wal-before'));
    await symlink(this.at('wal/pg_wal'), log);
    run('chown', ['-R', this.owner, this.at('wal'), this.at('tables')]);
    run('chmod', ['700', this.at('wal/pg_wal')]);
  }

  private mount(name: string, size: string): void {
    mkdirSync(this.at(name));
    run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.at(name)]);
    this.mounted.push(this.at(name));
  }

  private at(path: string): string {
    return join(this.home, path);
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.server.url() });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function run(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

function tryMount(): boolean {
  const at = join(tmpdir(), `concordat-mount-${process.pid}`);
  mkdirSync(at, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at]).status === 0;
  if (mounted) spawnSync('umount', [at]);
  spawnSync('rmdir', [at]);
  return mounted;
}
