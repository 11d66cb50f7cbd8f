/** The bench from end to end, as short as it goes: every shape, driver and way ends as it has to. */
import { jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from './compare/compare.js';
import { ROOT } from './root.js';

jest.setTimeout(600_000);

const folder = mkdtempSync(join(tmpdir(), 'concordat-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('measures every shape through both drivers, and fails none', async () => {
  const json = join(folder, 'bench.json');
  await promisify(execFile)(
    process.execPath,
    [
      ...['apps/cli/bootstrap/tool.mjs', 'bench', '--json', json, '--rounds', '1'],
      ...['--seconds', '1', '--clients', '2', '--participants', '2', '--through', 'typeorm,pg'],
      ...['--shapes', 'write,read-only,refused,interactive'],
    ],
    { cwd: ROOT, maxBuffer: 64 * 1_048_576 },
  );
  const { servers, cases, counted } = JSON.parse(readFileSync(json, 'utf8')) as Report;
  expect(servers.map(({ fsync, name }) => ({ fsync, name }))).toEqual([
    { fsync: 'on', name: 'hand' },
    { fsync: 'on', name: 'apart' },
    { fsync: 'on', name: 'concordat' },
  ]);
  expect(cases).toHaveLength(8);
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
  const write = counted.find((one) => one.shape === 'write' && one.way === 'hand');
  // Twice BEGIN, the statement, the outcome row, PREPARE and COMMIT PREPARED; and a decision.
  expect(write?.tripsToParticipants).toBeCloseTo(10, 0);
  expect(write?.tripsToRegister).toBeCloseTo(1, 0);
  expect(write?.flushes).toBeGreaterThan(4);
});
