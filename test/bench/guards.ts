/**
 * What a part of the product costs: this build beside a copy of it without that part. `unguarded.patch`
 * takes out what guards a branch: what closes it besides its outcome row, checks of statements, pools,
 * answers and numbers, the watch over waits for locks. `unwaited.patch` takes out what is done because
 * others may wait: names of sessions, looks and reports, order where it collides.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { measureBeside } from './beside.js';
import { ROOT } from './root.js';
import type { Turns } from './transfer-through.js';

type Scratch = typeof import('../gate/scratch.js');

const patch = (name: string) => ({ name, file: resolve(ROOT, 'test/bench', `${name}.patch`) });

export const UNGUARDED = patch('unguarded');
export const UNWAITED = patch('unwaited');

/** Prints throughput and processor time as it is, and beside it without what the patch takes out. */
export async function measureWithout(without: typeof UNGUARDED, turns: Turns): Promise<void> {
  // Built beside this program, not into it.
  const built = pathToFileURL(resolve(ROOT, 'test/gate/dist/scratch.js')).href;
  const { ScratchCopy, applyPatch } = (await import(built)) as Scratch;
  const copy = ScratchCopy.of(ROOT);
  const stop = new AbortController();
  try {
    applyPatch(copy.folder, without);
    const refusal = await copy.build(stop.signal);
    if (refusal !== undefined) throw new Error(`the ${without.name} build: ${refusal}`);
    await measureBeside(copy.folder, turns);
  } finally {
    copy.dispose();
  }
}
