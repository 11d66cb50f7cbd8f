import { check } from './checkers.js';
import { foundSeeds, runSeed } from './run-seed.js';
import { World } from './world.js';

const SEEDS = 20_000;

async function run(seed: number): Promise<void> {
  const failure = await runSeed(seed);
  if (failure) throw new Error(failure.story);
}

describe('The shipped protocol and engine, simulated', () => {
  it.each(foundSeeds())('hold for seed %i, which once failed', run);

  it(`hold for ${SEEDS} seeds of crashes, loss, duplicates, zombies and unknown results`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
  }, 300_000);

  it('replay a seed exactly', async () => {
    const [a, b] = [new World(7), new World(7)];
    await a.run();
    await b.run();
    expect(b.timeline.story).toEqual(a.timeline.story);
  });

  it('commit everything when nothing goes wrong', async () => {
    const calm = {
      loss: 0,
      duplicate: 0,
      zombie: 0,
      registerUnknown: 0,
      lostAnswer: 0,
      refusal: 0,
      slow: 0,
      crashes: 0,
      partitions: 0,
      clockSkew: false,
      keyed: 0,
      interactive: 0,
      delayMsMax: 30,
      registerDelayMsMax: 20,
    };
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed, calm);
      await world.run();
      expect(check(world)).toEqual([]);
      expect(world.clients.map((one) => one.told)).toEqual(world.clients.map(() => 'committed'));
    }
  });
});
