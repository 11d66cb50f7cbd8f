/**
 * `npm run simulate -- --seeds N [--from M] [--seed S]`: runs seeds one after another, stops at the
 * first that fails and prints its story and the command that replays it. One process uses one core.
 */
import { parseArgs } from 'node:util';
import { World } from './world.js';
import { foundSeeds, runSeed } from './run-seed.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
});

async function replay(seed: number): Promise<number> {
  const world = new World(seed);
  await world.run();
  for (const line of world.timeline.story) console.log(line);
  const failure = await runSeed(seed);
  console.log(failure ? `\n${failure.complaints.join('\n')}` : '\nevery checker is content');
  return failure ? 1 : 0;
}

async function simulate(from: number, count: number): Promise<number> {
  const begun = performance.now();
  const live = process.stderr.isTTY;
  let run = 0;
  const progress = (): void => {
    const seconds = (performance.now() - begun) / 1_000;
    const share = run / count;
    const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '·');
    const line = `${bar} ${run}/${count} seeds, ${(run / seconds).toFixed(0)}/s`;
    process.stderr.write(live ? `\r${line}` : `${line}\n`);
  };
  const seeds = function* (): Iterable<number> {
    yield* foundSeeds(new URL('../', import.meta.url));
    for (let i = 0; i < count; i++) yield from + i;
  };
  for (const seed of seeds()) {
    const failure = await runSeed(seed);
    if (failure) {
      console.log(`\n${failure.story}`);
      return 1;
    }
    run += 1;
    if (run % (live ? 200 : 50_000) === 0) progress();
  }
  progress();
  console.log(`\n${run} seeds, every checker content`);
  return 0;
}

process.exitCode =
  values.seed === undefined
    ? await simulate(Number(values.from), Number(values.seeds))
    : await replay(Number(values.seed));
