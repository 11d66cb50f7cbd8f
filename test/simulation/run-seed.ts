/** One run of one seed, checked; what is wrong comes back with the whole story. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './checkers/index.js';
import type { Tally } from './history.js';
import type { WorldOptions } from './options.js';
import { World, type WorldSettings } from './world.js';

export interface Run {
  readonly seed: number;
  readonly options: WorldOptions;
  readonly tally: Tally;
  /** Simulated milliseconds until rest. */
  readonly simulatedMs: number;
  /** Empty when every checker was content. */
  readonly complaints: readonly string[];
}

export async function runSeed(seed: number, settings: WorldSettings = {}): Promise<Run> {
  const world = new World(seed, { isTold: false, ...settings });
  await world.run();
  const complaints = check(world);
  const { options, history, timeline } = world;
  return { seed, options, tally: history.tally, simulatedMs: timeline.now, complaints };
}

/** Runs a seed again and prints it: options, timeline, complaints, and how to see it again. */
export async function storyOf(
  seed: number,
  settings: WorldSettings = {},
  flags = '',
): Promise<string> {
  const world = new World(seed, { ...settings, isTold: true });
  await world.run();
  const complaints = check(world);
  return [
    `seed ${seed} ${JSON.stringify(world.options)}`,
    ...world.timeline.story,
    '',
    ...(complaints.length > 0 ? complaints : ['every checker is content']),
    '',
    `replay: npm run simulate -- --seed ${seed}${flags}`,
  ].join('\n');
}

/** The seeds of seeds.txt. */
export function foundSeeds(folder = new URL('.', import.meta.url)): number[] {
  const file = new URL('seeds.txt', folder);
  return readFileSync(fileURLToPath(file), 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => Number(line.split(/\s/)[0]));
}
