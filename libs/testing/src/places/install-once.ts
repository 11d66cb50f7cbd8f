// Things fetched or copied once and kept. Built in a draft folder beside its place and moved there by
// one rename: several test workers may build at the same time, the first rename wins, the others
// throw their draft away, and no reader ever sees half of one.

import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Makes sure `target` exists, filled by `build`; returns it. */
export async function installOnce(
  target: string,
  build: (draft: string) => Promise<void>,
): Promise<string> {
  if (existsSync(target)) return target;
  await mkdir(dirname(target), { recursive: true });
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    await build(draft);
    await chmod(draft, 0o755);
    await rename(draft, target);
  } catch (error) {
    // Another worker finished first: its result is as good as ours.
    if (!existsSync(target)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}
