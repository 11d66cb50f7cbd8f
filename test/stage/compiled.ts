/**
 * Programs below test/ that have a tsconfig of their own, compiled and run by plain Node: in the sandbox that tests run
 * in, a search of the model takes half as long again.
 */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../..');
const COMPILER = join(ROOT, 'node_modules', '@typescript', 'native', 'bin', 'tsc');

/**
 * Builds `test/<folder>` and what it refers to, where it is not up to date; resolves with where it is built. Its types
 * are checked by `npm run typecheck`.
 */
export async function compiled(folder: string): Promise<string> {
  const run = promisify(execFile);
  await run(process.execPath, [COMPILER, '-b', '--noCheck', join('test', folder)], { cwd: ROOT });
  return join(ROOT, 'test', folder, 'dist');
}
