/**
 * Loaded into a service with `--import`: on each SIGWINCH it collects garbage and writes what its heap holds then,
 * in bytes, to the file that HEAP_TO names. Nothing of the product knows of it.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const file = process.env['HEAP_TO'] ?? 'heap';

process.on('SIGWINCH', async () => {
  // What finalizers give back is garbage of the next collection.
  for (let times = 0; times < 4; times++) {
    collect();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.part`, String(heapUsed + external));
  renameSync(`${file}.part`, file);
});
