/**
 * `npm run example`, as its README says: one command starts everything, the commands that it prints work, and
 * Ctrl-C ends everything.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort, spawnService, waitFor, type Service } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../..');
const START = join(ROOT, 'apps/cli/bootstrap/start.mjs');
const PORTS = [
  'CONCORDAT_PORT',
  'CONCORDAT_NATS_PORT',
  'CONCORDAT_POSTGRES_PORT',
  'CONCORDAT_ORDER_PORT',
  'CONCORDAT_STOCK_PORT',
  'CONCORDAT_PAYMENT_PORT',
];
const bash = (command: string) => promisify(execFile)('bash', ['-c', command]);

describe('npm run example', () => {
  let folder: string;
  let stack: Service;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'concordat-example-'));
    const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())]));
    const { PATH, HOME } = process.env;
    stack = await spawnService({
      name: 'the example',
      args: [START, 'example'],
      env: { PATH, HOME, CONCORDAT_DATA_DIR: folder, ...Object.fromEntries(ports) },
      readyWhen: 'Ready after',
      readyTimeoutMs: 240_000,
    });
  }, 300_000);

  afterAll(async () => {
    await stack?.stop({ graceMs: 30_000 });
    rmSync(folder, { recursive: true, force: true });
  });

  it('places an order at its start, and another by the command that it prints', async () => {
    expect(stack.output()).toMatch(/One order: committed in transaction /);
    const [order, look] = stack.output().match(/^ {2}curl .*$/gm) ?? [];
    const { stdout: ordered } = await bash(order ?? '');
    expect(JSON.parse(ordered)).toMatchObject({ customer: 'ada', sku: 'chair', total: 9_800 });
    await waitFor(async () => (await bash(look ?? '')).stdout.includes('"available":999996'), {
      what: 'four chairs to be gone',
    });
    const tooMany = (order ?? '').replace('"chair","quantity":2', '"table","quantity":11');
    expect((await bash(tooMany)).stdout).toContain('OUT_OF_STOCK');
    const tooDear = (order ?? '').replace('"ada"', '"bob"');
    expect((await bash(tooDear)).stdout).toContain('PAYMENT_REFUSED');
  });

  it('ends everything that it has started at Ctrl-C', async () => {
    const { pids } = JSON.parse(readFileSync(join(folder, 'dev.json'), 'utf8')) as {
      pids: Record<string, number>;
    };
    expect(Object.keys(pids).sort()).toEqual(
      ['coordinator', 'nats', 'order', 'payment', 'postgres', 'stock'].sort(),
    );
    stack.kill('SIGINT');
    expect(await stack.exited).toMatchObject({ code: 0 });
    const alive = Object.entries(pids).filter(([, pid]) => isAlive(pid));
    expect(alive).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
