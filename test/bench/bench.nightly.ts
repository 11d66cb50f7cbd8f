/** The bench from end to end, as short as it goes: every shape, driver and way ends as it has to. */
import { jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from './compare/report.js';
import type { PruningReport } from './pruning/pruning.js';
import { ROOT } from './root.js';

jest.setTimeout(600_000);

const folder = mkdtempSync(join(tmpdir(), 'concordat-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Resolves with what the run left in its file. */
async function bench<T>(...args: readonly string[]): Promise<T> {
  const json = join(folder, 'bench.json');
  await promisify(execFile)(
    process.execPath,
    ['apps/cli/bootstrap/tool.mjs', 'bench', ...args, '--json', json],
    { cwd: ROOT, maxBuffer: 64 * 1_048_576 },
  );
  return JSON.parse(readFileSync(json, 'utf8')) as T;
}

const TURNS = ['--rounds', '1', '--seconds', '1', '--clients', '2', '--participants', '2'];
const DURABLE = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on' };

function expectSound({ cases, servers }: Report, names: readonly string[]): void {
  expect(servers).toEqual(
    names.map((name) => ({ name, postgres: expect.any(String) as string, ...DURABLE })),
  );
  for (const one of cases) {
    for (const [name, way] of Object.entries(one.ways)) {
      const about = { ...one.case, way: name };
      expect({ ...about, failed: way.failed, failure: way.failure }).toEqual({
        ...about,
        failed: 0,
      });
      expect(way.perSecond).toBeGreaterThan(0);
      expect(Object.values(way.processorMs).every((ms) => ms >= 0)).toBe(true);
    }
  }
}

it('measures every shape through both drivers, and fails none', async () => {
  const shapes = 'write,read-only,refused,interactive';
  const report = await bench<Report>(...TURNS, '--through', 'typeorm,pg', '--shapes', shapes);
  expect(report.cases).toHaveLength(8);
  expectSound(report, ['hand', 'apart', 'concordat']);
  const write = report.counted.find((one) => one.shape === 'write' && one.way === 'hand');
  // Twice BEGIN, the statement, the outcome row, PREPARE and COMMIT PREPARED; and a decision.
  expect(write?.tripsToParticipants).toBeCloseTo(10, 0);
  expect(write?.tripsToRegister).toBeCloseTo(1, 0);
  expect(write?.flushes).toBeGreaterThan(4);
});

it('measures one Concordat beside another, and goes on where it was cut off', async () => {
  const ways =
    'completed,one-participant,one-participant-in-one-phase,reading,own-core,two-coordinators,full-log';
  const run = [...TURNS, '--no-count', '--log', '2000', '--ways', ways];
  const report = await bench<Report>(...run);
  const arenas = ['concordat', 'one-phase', 'own-core', 'two-coordinators', 'full-log'];
  expectSound(report, arenas);
  const again = await bench<Report>(...run, '--resume');
  expect(again).toEqual(report);
});

it('follows a load under a retention of minutes', async () => {
  const short = ['--minutes', '0.3', '--seconds', '5', '--clients', '4'];
  const { moments } = await bench<PruningReport>('pruning', ...short);
  expect(moments.length).toBeGreaterThanOrEqual(2);
  for (const { failed, perSecond, maxMs, looks } of moments) {
    expect({ failed, isBusy: perSecond > 0 && maxMs > 0 }).toEqual({ failed: 0, isBusy: true });
    expect(Object.keys(looks)).toEqual(['register', 'ledger-1', 'ledger-2']);
    for (const look of Object.values(looks))
      expect(look).toMatchObject({ due: 0, overdue: 0, deadRows: expect.any(Number) as number });
  }
});
