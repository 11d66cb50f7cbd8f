/**
 * `npm start` and the commands beside it: what cannot start says why in two lines and ends, whatever its
 * starter listens to; what runs reports when a server under it is gone.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, startPostgres, waitFor, type PostgresServer } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../..');
const CONCORDAT = join(ROOT, 'apps/cli/dist/main.js');
/** What `npm start` and `npm run demo:stuck` run. */
const START = join(ROOT, 'apps/cli/bootstrap/start.mjs');
const ENDS_WITHIN_MS = 30_000;

type Variables = Readonly<Record<string, string>>;

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly exited: Promise<number | null>;
}

/** Runs a program with the channel that `npm start` gives it: who listens to that must not keep it. */
function run(program: string, args: readonly string[], env: Variables): Running {
  const { PATH = '', HOME = '' } = process.env;
  const child = fork(program, [...args], { cwd: ROOT, env: { PATH, HOME, ...env }, silent: true });
  const words: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => words.push(chunk));
  }
  const exited = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  return { child, exited, said: () => Buffer.concat(words).toString('utf8') };
}

/** The code and the two lines it ends with. Kills it, and answers 124, when it does not end. */
async function endOf(running: Running): Promise<{ code: number | null; lines: string[] }> {
  const timer = setTimeout(() => running.child.kill('SIGKILL'), ENDS_WITHIN_MS);
  const code = await running.exited;
  clearTimeout(timer);
  const lines = running.said().trim().split('\n');
  return { code: running.child.signalCode === 'SIGKILL' ? 124 : code, lines: lines.slice(-2) };
}

describe('The development stack', () => {
  let folder: string;
  let ports: Variables;
  /** Somebody's server: it keeps no prepared transactions. */
  let postgres: PostgresServer;
  let taken: Server;
  let takenPort: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'concordat-dev-'));
    postgres = await startPostgres({
      dataDir: join(folder, 'others', 'postgres'),
      settings: { max_prepared_transactions: 0 },
    });
    ports = {
      CONCORDAT_PORT: String(await freePort()),
      CONCORDAT_NATS_PORT: String(await freePort()),
      CONCORDAT_POSTGRES_PORT: String(await freePort()),
      CONCORDAT_LEDGER_EAST_PORT: String(await freePort()),
      CONCORDAT_LEDGER_WEST_PORT: String(await freePort()),
      CONCORDAT_INVENTORY_PORT: String(await freePort()),
    };
    takenPort = String(await freePort());
    taken = createServer().listen(Number(takenPort), '127.0.0.1');
  }, 120_000);

  afterAll(async () => {
    await new Promise((done) => taken.close(done));
    await postgres.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const place = (name: string): Variables => ({
    CONCORDAT_DATA_DIR: join(folder, name),
    ...ports,
  });

  it('on a port that is taken ends with the variable that moves it, by `npm start` as well', async () => {
    const env = { ...place('fresh'), CONCORDAT_PORT: takenPort };
    const { code, lines } = await endOf(run(START, [], env));
    expect(code).toBe(1);
    expect(lines[0]).toContain(`port ${takenPort} (coordinator, moved by CONCORDAT_PORT)`);
    expect(lines[1]).toMatch(/^Remedy: end what listens there/);
  }, 120_000);

  const closed = '127.0.0.1:9';
  const refused: readonly (readonly [
    what: string,
    env: () => Variables,
    cause: RegExp,
    remedy: RegExp,
  ])[] = [
    [
      'a Postgres that is not there',
      () => ({ DATABASE_URL: `postgres://postgres:secret@${closed}/postgres` }),
      /^concordat: no Postgres can be used at postgres:\/\/…@127\.0\.0\.1:9.*\(DATABASE_URL\): .*ECONNREFUSED/,
      /correct DATABASE_URL/,
    ],
    [
      'a Postgres that refuses this password',
      () => ({ DATABASE_URL: postgres.url().replace(/:[^:@]+@/, ':wrong@') }),
      /\(DATABASE_URL\): .*password authentication failed/,
      /correct DATABASE_URL/,
    ],
    [
      'a Postgres without prepared slots',
      () => ({ DATABASE_URL: postgres.url() }),
      /max_prepared_transactions is 0$/,
      /set max_prepared_transactions to 64 or more .*unset DATABASE_URL/,
    ],
    [
      'a nats-server that is not there',
      () => ({ NATS_URL: `nats://${closed}` }),
      /^concordat: no NATS server can be used at nats:\/\/127\.0\.0\.1:9 \(NATS_URL\): ./,
      /correct NATS_URL/,
    ],
    [
      'something that is no nats-server',
      () => ({ NATS_URL: `nats://127.0.0.1:${postgres.port}` }),
      /\(NATS_URL\): ./,
      /correct NATS_URL/,
    ],
  ];

  it.each(refused)(
    'with %s ends, naming the variable',
    async (_, env, cause, remedy) => {
      const ended = await endOf(run(CONCORDAT, ['dev'], { ...place('fresh'), ...env() }));
      expect(ended.code).toBe(1);
      expect(ended.lines[0]).toMatch(cause);
      expect(ended.lines[1]).toMatch(remedy);
      expect(ended.lines.join()).not.toContain('secret');
    },
    60_000,
  );

  it('in a folder whose data a server holds ends, and names the folder’s variable', async () => {
    const { code, lines } = await endOf(run(CONCORDAT, ['dev'], place('others')));
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/a development stack runs in .*others already: its Postgres holds/);
    expect(lines[1]).toMatch(/set CONCORDAT_DATA_DIR/);
  }, 60_000);

  it('that is not there lets its demonstration end, and every command that asks it', async () => {
    const demo = await endOf(run(CONCORDAT, ['demo', 'stuck'], place('fresh')));
    expect(demo.code).toBe(1);
    expect(demo.lines[0]).toMatch(/^concordat: no development stack is running/);
    expect(demo.lines[1]).toMatch(/^Remedy: start one with "npm start"/);
    const target = ['--url', `http://${closed}`, '--key', 'none'];
    for (const command of [['stuck'], ['participants'], ['doctor'], ['orphans']]) {
      const { code } = await endOf(run(CONCORDAT, [...command, ...target], place('fresh')));
      expect([command, code]).toEqual([command, 1]);
    }
  }, 120_000);

  it('that runs refuses a second one, and says when a server under it is gone', async () => {
    const running = run(CONCORDAT, ['dev'], place('running'));
    const says = (words: RegExp) =>
      waitFor(() => words.test(running.said()) || running.child.exitCode !== null, {
        what: `the stack to say ${String(words)}, which has said: ${running.said()}`,
        timeoutMs: 150_000,
      });
    try {
      await says(/Ready after/);
      const second = { ...place('running'), CONCORDAT_PORT: String(await freePort()) };
      const { code, lines } = await endOf(run(CONCORDAT, ['dev'], second));
      expect(code).toBe(1);
      expect(lines[0]).toMatch(/runs in .*running already: its coordinator answers at http/);
      const watching = ['watch', '--key', 'no key of anybody'];
      expect((await endOf(run(CONCORDAT, watching, place('running')))).code).toBe(1);
      const { pids } = JSON.parse(await readFile(join(folder, 'running/dev.json'), 'utf8')) as {
        pids: Record<string, number>;
      };
      process.kill(pids['nats'] ?? 0, 'SIGKILL');
      await says(/! NATS ended \(SIGKILL\): nothing can be decided without it/);
      expect(running.said()).toMatch(/! NATS ended/);
    } finally {
      running.child.kill('SIGTERM');
      const { code } = await endOf(running);
      expect(code).toBe(0);
    }
  }, 300_000);
});
