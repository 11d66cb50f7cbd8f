import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { noNeedlessAborts } from './checkers/honesty.js';
import { check } from './checkers/index.js';
import { History } from './history.js';
import { NO_FAULTS } from './options.js';
import { foundSeeds, runSeed, storyOf } from './run-seed.js';
import { World } from './world.js';

const SEEDS = 20_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);

async function run(seed: number): Promise<void> {
  const { complaints } = await runSeed(seed);
  if (complaints.length > 0) throw new Error(await storyOf(seed));
}

describe('The shipped protocol and engine, simulated', () => {
  it.each(foundSeeds())('hold for seed %i, which once failed', run);

  // In a process of its own, compiled: the sandbox that tests run in makes it several times slower.
  it(`hold for ${SEEDS} seeds of everything that can go wrong`, async () => {
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    await execute(process.execPath, [compiler, '-b', 'test/simulation'], { cwd: root });
    const program = join(root, 'test', 'simulation', 'dist', 'main.js');
    const seeds = ['--seeds', String(SEEDS), '--jobs', '1'];
    const { stdout } = await execute(process.execPath, [program, ...seeds], {
      cwd: root,
      maxBuffer: 64 * 1_048_576,
    });
    expect(stdout).toContain(`${SEEDS}`);
  }, 600_000);

  it('replay a seed exactly', async () => {
    const [a, b] = [new World(7), new World(7)];
    await a.run();
    await b.run();
    expect(b.timeline.story).toEqual(a.timeline.story);
  });

  it('run a seed alike whether or not its story is told', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const told = new World(seed);
      const untold = new World(seed, { isTold: false });
      await told.run();
      await untold.run();
      expect(untold.history.tally).toEqual(told.history.tally);
      expect(untold.timeline.now).toBe(told.timeline.now);
    }
  });

  it.each([
    ['of a client that changed its mind', { gaveUp: 'mind-changed' }, 1, true],
    ['whose call met another instance than its branch', { gaveUp: 'branch-elsewhere' }, 2, true],
    ['whose call met the only instance', { gaveUp: 'branch-elsewhere' }, 1, false],
    ['whose call failed otherwise', { gaveUp: 'call-failed' }, 2, false],
    ['that its coordinator refused on its way onto the list', { turnedAwayAtMs: 40 }, 1, true],
    ['that its coordinator refused later', { turnedAwayAtMs: 41 }, 1, false],
    ['that was never answered', {}, 1, false],
  ] as const)('need not commit, or must, a request %s', (_name, record, replicas, isExcused) => {
    const { options, ...remains } = new World(1, { isTold: false });
    const calm = { ...options, ...NO_FAULTS, replicas, delayMsMax: 30, registerDelayMsMax: 20 };
    const history = new History();
    history.clients.push({ deltas: new Map(), told: 'unknown', ...record });
    const complaints = noNeedlessAborts.complaints({ ...remains, options: calm, history });
    expect(complaints).toHaveLength(isExcused ? 0 : 1);
  });

  it('commit everything when nothing goes wrong', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed, {
        adjust: (drawn) => ({
          ...drawn,
          ...NO_FAULTS,
          interactive: 0,
          delayMsMax: 30,
          registerDelayMsMax: 20,
        }),
      });
      await world.run();
      expect(check(world)).toEqual([]);
      const { clients } = world.history;
      expect(clients.map((one) => one.told)).toEqual(clients.map(() => 'committed'));
    }
  });
});
