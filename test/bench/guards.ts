/**
 * What the guards cost: this build beside a copy of it without them. `unguarded.patch` takes them out:
 * what closes a branch besides its outcome row, checks of statements, pools, answers and numbers, the
 * watch over waits for locks.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { measureBeside } from './beside.js';
import { ROOT } from './root.js';
import type { Turns } from './transfer-through.js';

type Scratch = typeof import('../gate/scratch.js');

export const UNGUARDED = { name: 'unguarded', file: resolve(ROOT, 'test/bench/unguarded.patch') };

/** Prints throughput and processor time with the guards, and beside it without them. */
export async function measureGuards(turns: Turns): Promise<void> {
  // Built beside this program, not into it.
  const built = pathToFileURL(resolve(ROOT, 'test/gate/dist/scratch.js')).href;
  const { ScratchCopy, applyPatch } = (await import(built)) as Scratch;
  const copy = ScratchCopy.of(ROOT);
  const stop = new AbortController();
  try {
    applyPatch(copy.folder, UNGUARDED);
    const refusal = await copy.build(stop.signal);
    if (refusal !== undefined) throw new Error(`the build without guards: ${refusal}`);
    await measureBeside(copy.folder, turns);
  } finally {
    copy.dispose();
  }
}
