/**
 * A real PgBouncer for tests, pooling by transaction over one server connection, so that all of its
 * clients get the same session one after the other. The one on the PATH or in /usr/sbin. Guards "CI
 * fails without it, elsewhere it is skipped with a notice".
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort, waitFor } from '@concordat/testing';
import pg from 'pg';

const { CONCORDAT_POOLER, CI, PATH = '' } = process.env;
const program = [...PATH.split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find(isExecutable);

if (!program) {
  const remedy = 'Install PgBouncer (Debian: apt-get install pgbouncer).';
  if (CONCORDAT_POOLER === 'required' || (CI !== undefined && CI !== '')) {
    throw new Error(`The tests behind a pooler are required here. ${remedy}`);
  }
  process.stderr.write(`concordat: the tests behind a pooler are skipped. ${remedy}\n`);
}

/** A test that needs a pooler. */
export const itBehindAPooler = program !== undefined ? it : it.skip;

export interface Pooler {
  /** The address of the same database, through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a pooler in front of a database, with one server connection for all clients. */
export async function startPooler(databaseUrl: string): Promise<Pooler> {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const name = pathname.slice(1);
  const listenPort = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'concordat-pooler-'));
  await chmod(folder, 0o755);
  const config = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `${name} = host=${hostname} port=${port} dbname=${name} user=${username} password=${password}`,
    '[pgbouncer]',
    ...['listen_addr = 127.0.0.1', `listen_port = ${listenPort}`, 'unix_socket_dir ='],
    ...['auth_type = any', 'pool_mode = transaction', 'default_pool_size = 1'],
    'ignore_startup_parameters = extra_float_digits',
    // It refuses to run as root.
    ...(process.getuid?.() === 0 ? ['user = nobody'] : []),
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o644 });
  const child = spawn(String(program), ['-q', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `postgres://${username}@127.0.0.1:${listenPort}/${name}`;
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(() => answers(url), { what: 'the pooler to answer' });
  } catch (error) {
    await stop();
    throw new Error(`the pooler did not start: ${said}`, { cause: error });
  }
  return { url, stop };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
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

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
