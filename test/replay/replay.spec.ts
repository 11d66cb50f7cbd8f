/**
 * The model describes the host around the machines in rules of its own (`test/model/host.ts`, `coordinator-host.ts`,
 * `branch-host.ts`). Here its walks are replayed by the engine's own performers and managers: what the
 * model searched is what is shipped, or a walk shows where not.
 */
import { BUGS } from '../model/bugs.js';
import { SHIPPED } from '../model/host.js';
import { Model } from '../model/model.js';
import { Replay } from './replay.js';
import { ACCIDENTS, walk, type Walked } from './walk.js';

const WALKS = 400;
/** Needs a second prepare whose first was given up, in one of hundreds of walks. */
const RARE = /is refused\|waits/;

async function firstDifference(model: Model, seeds: number): Promise<Walked | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const walked = await walk(seed, model);
    if (walked.differences.length > 0) return walked;
  }
  return undefined;
}

describe('The engine, led through the model at random', () => {
  it('is in the state of the model after each step, and asks for the same', async () => {
    const model = new Model(ACCIDENTS);
    const met = new Set<string>();
    for (let seed = 1; seed <= WALKS; seed++) {
      const { labels, differences } = await walk(seed, model);
      for (const label of labels) met.add(Replay.sentence(label) as string);
      if (differences.length > 0) {
        throw new Error([`walk ${seed}`, ...labels, '', ...differences].join('\n'));
      }
    }
    // What no walk meets is compared nowhere.
    const unmet = Replay.sentences().filter((one) => !met.has(one) && !RARE.test(one));
    expect(unmet).toEqual([]);
  }, 120_000);

  // So the comparison would see it if the host of the model did something else than the engine.
  it.each([
    'send before force',
    'commit after one vote',
    'an unknown answer taken for an abort',
    'a retry limit drops a commit',
    'an abort forgotten too early',
    'a heuristic outcome taken for a plain one',
    'an end noted beside its evidence',
    'yes before PREPARE has answered',
    'an acknowledgement before the database has answered',
    'a lost answer to COMMIT PREPARED taken for done',
  ])(
    'is not taken for a model with the bug “%s”',
    async (name) => {
      const bug = BUGS.find((one) => one.name === name);
      const model = new Model(ACCIDENTS, { ...SHIPPED, ...bug?.host });
      expect(await firstDifference(model, 600)).toBeDefined();
    },
    120_000,
  );
});
