// A real Postgres, as tests get it: durable, apart from every other, and there again after a crash.

import { jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../ports/free-port.js';
import { isGone } from '../processes/process-tree.js';
import { onConnection } from './databases.sql.js';
import { startPostgres, type PostgresServer } from './postgres-server.js';

jest.setTimeout(120_000);

async function rowsOf(url: string, sql: string): Promise<Record<string, unknown>[]> {
  return onConnection(url, async (client) => (await client.query(sql)).rows);
}

describe('a Postgres started for a test', () => {
  let server: PostgresServer;
  const lines: string[] = [];

  beforeAll(async () => {
    server = await startPostgres({ log: (line) => lines.push(line) });
  });

  afterAll(async () => {
    await server.dispose();
  });

  it('says in one line what runs where', () => {
    expect(lines.at(-1)).toMatch(/^postgres: 1[5-8]\S* of \S+ on 127\.0\.0\.1:\d+, data in /);
  });

  it('is as durable as production, and ready for prepared transactions', async () => {
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'max_prepared_transactions'];
    const settings = await rowsOf(
      server.url(),
      `SELECT name, setting FROM pg_settings WHERE name IN ('${names.join("','")}') ORDER BY name`,
    );
    expect(settings.map(({ name, setting }) => `${String(name)}=${String(setting)}`)).toEqual([
      'fsync=on',
      'full_page_writes=on',
      'max_prepared_transactions=200',
      'synchronous_commit=on',
    ]);
  });

  it('listens on loopback only, and on no unix socket', async () => {
    const settings = await rowsOf(
      server.url(),
      `SELECT setting FROM pg_settings WHERE name IN ('listen_addresses', 'unix_socket_directories') ORDER BY name`,
    );
    expect(settings).toEqual([{ setting: '127.0.0.1' }, { setting: '' }]);
  });

  it('refuses a client without the password', async () => {
    const url = new URL(server.url());
    url.password = 'guessed';
    await expect(rowsOf(url.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  });

  it('gives each database to a role of its own, which no other role can enter', async () => {
    const east = await server.createDatabase('east');
    const west = await server.createDatabase('west');
    await rowsOf(east, 'CREATE TABLE account (id text PRIMARY KEY)');
    const trespass = new URL(east);
    trespass.pathname = '/west';
    await expect(rowsOf(trespass.href, 'SELECT 1')).rejects.toThrow(/permission denied/);
    expect(west).not.toBe(east);
    expect(await server.createDatabase('east')).toBe(east);
  });

  it('keeps quotes in names where they belong', async () => {
    const url = await server.createDatabase(`it's "odd"`);
    expect(await rowsOf(url, 'SELECT current_database() AS name')).toEqual([
      { name: `it's "odd"` },
    ]);
  });

  it('comes back on the same port after a kill, with every commit and every prepared transaction', async () => {
    const url = await server.createDatabase('crash');
    await rowsOf(url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)');
    await onConnection(url, async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO kept VALUES (2)');
      await client.query(`PREPARE TRANSACTION 'cc:test:1'`);
    });
    const { port, pid } = server;
    await server.kill();
    expect(isGone(pid as number)).toBe(true);
    expect(server.alive).toBe(false);
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.output()).toMatch(/not properly shut down/);
    await rowsOf(url, `COMMIT PREPARED 'cc:test:1'`);
    expect(await rowsOf(url, 'SELECT n FROM kept ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('comes back after an immediate and after a fast stop', async () => {
    const url = await server.createDatabase('stops');
    await rowsOf(url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)');
    await server.stop({ mode: 'immediate' });
    await expect(rowsOf(url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    await server.start();
    await server.restart();
    expect(server.output()).not.toMatch(/not properly shut down/);
    expect(await rowsOf(url, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });
});

describe('several Postgres servers', () => {
  it('run at once without meeting', async () => {
    const [one, two] = await Promise.all([startPostgres(), startPostgres()]);
    expect(one.port).not.toBe(two.port);
    expect(one.dataDir).not.toBe(two.dataDir);
    await rowsOf(one.url(), 'CREATE TABLE mine (n int)');
    expect(await rowsOf(two.url(), `SELECT to_regclass('mine') AS found`)).toEqual([
      { found: null },
    ]);
    await Promise.all([one.dispose(), two.dispose()]);
    expect(existsSync(one.dataDir) || existsSync(two.dataDir)).toBe(false);
  });

  it('take the settings they are given', async () => {
    const server = await startPostgres({ settings: { max_prepared_transactions: 0 } });
    expect(await rowsOf(server.url(), 'SHOW max_prepared_transactions')).toEqual([
      { max_prepared_transactions: '0' },
    ]);
    await server.dispose();
  });

  it('name the port that was asked for and is taken', async () => {
    const port = await freePort();
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    await expect(startPostgres({ port })).rejects.toThrow(`127.0.0.1:${port}: the port is in use`);
    await new Promise((resolve) => other.close(resolve));
  });

  it('say what is wrong with a setting', async () => {
    await expect(startPostgres({ settings: { no_such_setting: 'on' } })).rejects.toThrow(
      /unrecognized configuration parameter "no_such_setting"/,
    );
  });
});

describe('a data folder that was given', () => {
  let home: string;
  let elsewhere: string | undefined;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'concordat-spec-'));
  });

  afterEach(async () => {
    await rm(home, { recursive: true, force: true });
    if (elsewhere) await rm(elsewhere, { recursive: true, force: true });
  });

  it('keeps its data and its addresses from one start to the next', async () => {
    await chmod(home, 0o755);
    const port = await freePort();
    const dataDir = join(home, 'project', '.concordat', 'postgres');
    const first = await startPostgres({ dataDir, port });
    const url = await first.createDatabase('kept');
    await rowsOf(url, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    await first.dispose();
    const second = await startPostgres({ dataDir, port });
    expect(await second.createDatabase('kept')).toBe(url);
    expect(await rowsOf(url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await second.dispose();
    expect(existsSync(second.dataDir)).toBe(true);
  });

  it('is refused when another version of Postgres made it', async () => {
    await chmod(home, 0o755);
    const first = await startPostgres({ dataDir: home });
    await first.dispose();
    await writeFile(join(first.dataDir, 'PG_VERSION'), '14\n');
    await expect(startPostgres({ dataDir: home })).rejects.toThrow(/was made by Postgres 14/);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;

  asRoot('moves out of a folder that only root may enter, and is found there again', async () => {
    await chmod(home, 0o700);
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    const dataDir = join(home, '.concordat', 'postgres');
    const first = await startPostgres({ dataDir, log });
    expect(lines.filter((line) => /cannot enter .* its data is kept in/.test(line))).toHaveLength(
      1,
    );
    elsewhere = dirname(first.dataDir);
    expect(first.dataDir.startsWith(home)).toBe(false);
    await rowsOf(first.url(), 'CREATE TABLE kept (n int)');
    await first.dispose();
    const second = await startPostgres({ dataDir });
    expect(second.dataDir).toBe(first.dataDir);
    await rowsOf(second.url(), 'SELECT n FROM kept');
    await second.dispose();
    expect((await stat(home)).mode & 0o777).toBe(0o700);
  });
});

describe('temporary data', () => {
  const INDEX = new URL('../../dist/index.js', import.meta.url).href;
  const START = `const { startPostgres } = await import('${INDEX}');
    const server = await startPostgres();
    const { password } = new URL(server.url());
    await server.dispose();
    console.log(password);`;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'concordat-copied-'));
    await chmod(folder, 0o755);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Starts a server where nothing but this test keeps anything; its superuser's password. */
  async function started(): Promise<string> {
    const env = { ...process.env, TMPDIR: folder };
    const args = ['--input-type=module', '-e', START];
    return (await promisify(execFile)(process.execPath, args, { env })).stdout.trim();
  }

  it('is copied from what was made once, which is made again where files of it are missing', async () => {
    const first = await started();
    expect(await started()).toBe(first);
    const [cache = ''] = await readdir(folder);
    const [kept = ''] = (await readdir(join(folder, cache))).filter((one) =>
      one.startsWith('postgres-new-'),
    );
    await rm(join(folder, cache, kept, 'data', 'global', 'pg_control'));
    const again = await started();
    expect(again).not.toBe(first);
    expect(await started()).toBe(again);
    expect(await readdir(folder)).toEqual([cache]); // What servers ran on is gone.
  });
});
