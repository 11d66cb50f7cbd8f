import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compiled } from '../stage/compiled.js';
import { isNightly } from '../stage/nightly.js';
import { heuristics, noNeedlessAborts } from './checkers/honesty.js';
import {
  formatGid,
  type BranchId,
  type ClusterId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { check } from './checkers/index.js';
import { History, type Compared } from './history.js';
import { NO_FAULTS, type WorldOptions } from './options.js';
import { foundSeeds, runSeed, storyOf } from './run-seed.js';
import type { DatabaseStore } from './database-store.js';
import { World } from './world.js';

/** Half as many again as the last of the gate's bugs needs that a few thousand seeds show at all. */
const SEEDS = isNightly ? 20_000 : 1_000;
const P1 = 'p1' as ParticipantName;
const TRANSACTION = '01hf7yb9tteysr8arm674gxn2f-jgzyraxd' as TransactionId;
const AFTER = '01hf7yb9ttf000000000000000-00000000' as TransactionId;
const GID = formatGid({
  cluster: 'gwtc0ggw' as ClusterId,
  transaction: TRANSACTION,
  branch: '1' as BranchId,
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);

/** Many transactions that change the same rows in different orders, and nothing that fails. */
const colliding = (drawn: WorldOptions): WorldOptions => ({
  ...{ ...drawn, ...NO_FAULTS, house: false, strangers: 0, locks: true },
  ...{ delayMsMax: 30, registerDelayMsMax: 20, participants: 3, transactions: 12 },
});

async function run(seed: number): Promise<void> {
  const { complaints } = await runSeed(seed);
  if (complaints.length > 0) throw new Error(await storyOf(seed));
}

describe('The shipped protocol and engine, simulated', () => {
  it.each(foundSeeds())('hold for seed %i, which once failed', run);

  // In a process of its own, compiled: the sandbox that tests run in makes it several times slower.
  it(`hold for ${SEEDS} seeds of everything that can go wrong`, async () => {
    const program = join(await compiled('simulation'), 'main.js');
    const seeds = ['--seeds', String(SEEDS), '--jobs', '1'];
    const { stdout } = await execute(process.execPath, [program, ...seeds], {
      cwd: root,
      maxBuffer: 64 * 1_048_576,
    });
    expect(stdout).toContain(`${SEEDS}`);
  }, 600_000);

  it('break every cycle of waits in time where nothing fails, at the right one, and nothing else', async () => {
    let cycles = 0;
    let victims = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const world = new World(seed, { isTold: false, adjust: colliding });
      await world.run();
      expect({ seed, complaints: check(world) }).toEqual({ seed, complaints: [] });
      cycles += world.waits.cycles.length;
      victims += world.waits.victims.length;
    }
    expect(cycles).toBeGreaterThan(50);
    expect(victims).toBeGreaterThan(50);
  }, 600_000);

  it('replay a seed exactly', async () => {
    const [a, b] = [new World(7), new World(7)];
    await a.run();
    await b.run();
    expect(b.timeline.story).toEqual(a.timeline.story);
  });

  it('run a seed alike with and without its story', async () => {
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

  const pass = { begunAt: 2_000, endedAt: 3_000, participants: ['p1'], open: [] as string[] };
  it.each([
    ['while both sides remember it', {}, [], true],
    ['once the mark has passed it and no pass came through', { markAt: 5_000 }, [], false],
    ['once its participant forgot it and no pass came through', { prunedAt: 5_000 }, [], false],
    ['that a pass must have met before the mark passed it', { markAt: 5_000 }, [pass], true],
    ['that a pass must have met before it was pruned', { prunedAt: 5_000 }, [pass], true],
    [
      'where the pass began before the manual change',
      { markAt: 5_000 },
      [{ ...pass, begunAt: 999 }],
      false,
    ],
    [
      'where the pass ended after the mark had passed',
      { markAt: 5_000 },
      [{ ...pass, endedAt: 5_000 }],
      false,
    ],
    [
      'where the pass compared others only',
      { markAt: 5_000 },
      [{ ...pass, participants: ['p2'] }],
      false,
    ],
    ['where the pass says that it is open', { markAt: 5_000 }, [{ ...pass, open: [GID] }], false],
  ] as const)(
    'must record a branch committed manually, or need not, %s',
    (_name, forgotten, compared, isDemanded) => {
      const { options, ...remains } = new World(1, { isTold: false });
      const [history, p1] = [new History(), remains.databases.get(P1) as DatabaseStore];
      p1.prepare(GID, { deltas: new Map() }, 0);
      p1.commitPrepared(GID, true);
      history.handActs.push({ gid: GID, participant: P1, act: 'committed', at: 1_000 });
      if ('markAt' in forgotten) history.marks.push({ mark: AFTER, at: forgotten.markAt });
      if ('prunedAt' in forgotten) p1.prune(AFTER, 0, forgotten.prunedAt);
      history.compared.push(...(compared as readonly Compared[]));
      const world = { ...remains, options: { ...options, house: true }, history };
      expect(heuristics.complaints(world)).toHaveLength(isDemanded ? 1 : 0);
    },
  );

  it('commit everything when nothing goes wrong', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed, {
        adjust: (drawn) => ({
          ...drawn,
          ...NO_FAULTS,
          locks: false, // Nothing collides.
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
