/** One run of one seed, checked; what is wrong comes back with the whole story. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './checkers.js';
import { World } from './world.js';

export interface Failure {
  readonly seed: number;
  readonly complaints: readonly string[];
  /** Options, timeline and complaints, for a person. */
  readonly story: string;
}

/** Runs a seed; undefined when every checker was content. */
export async function runSeed(seed: number): Promise<Failure | undefined> {
  const world = new World(seed);
  await world.run();
  const complaints = check(world);
  if (complaints.length === 0) return undefined;
  const story = [
    `seed ${seed} ${JSON.stringify(world.options)}`,
    ...world.timeline.story,
    '',
    ...complaints,
    '',
    `replay: npm run simulate -- --seed ${seed}`,
  ].join('\n');
  return { seed, complaints, story };
}

/** The seeds of seeds.txt. */
export function foundSeeds(folder = new URL('.', import.meta.url)): number[] {
  const file = new URL('seeds.txt', folder);
  return readFileSync(fileURLToPath(file), 'utf8')
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => Number(line.split(/\s/)[0]));
}
