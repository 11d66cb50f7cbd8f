// `npm run bench`: builds everything, then the benchmark, a program of its own in test/bench with a
// tsconfig of its own, and runs it as plain Node would run it in production: compiled, no loader.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { prologueOrExit } from './prologue.mjs';
import { complain, root, runNode, step } from './commands.mjs';

const folder = join('test', 'bench');
const compiler = join('node_modules', 'typescript', 'bin', 'tsc');

await prologueOrExit();
if (!existsSync(join(root, folder, 'main.ts'))) {
  complain(
    `there is no ${join(folder, 'main.ts')} in this revision; check out one that has the benchmark.`,
  );
  process.exit(1);
}
const built = await step('build of the benchmark', () => runNode([compiler, '-b', folder]));
if (!built.ok) {
  complain('the benchmark does not build; the compiler says where above.');
  process.exit(1);
}
const { code } = await runNode([join(folder, 'dist', 'main.js'), ...process.argv.slice(2)]);
process.exit(code);
