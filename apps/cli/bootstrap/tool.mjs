// `npm run bench`, `npm run simulate` and their like: builds everything, then one program of its own
// under test/ with a tsconfig of its own, and runs it as plain Node would in production: compiled, no
// loader. The first argument names the folder, the rest goes to the program.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { prologueOrExit } from './prologue.mjs';
import { complain, root, runNode, step } from './commands.mjs';
import { helped } from './help.mjs';

const [name = '', ...args] = process.argv.slice(2);
const folder = join('test', name);
const output = new URL('output.mjs', import.meta.url).href;
const compiler = join('node_modules', '@typescript', 'native', 'bin', 'tsc');

if (!existsSync(join(root, folder, 'main.ts'))) {
  complain(`there is no ${join(folder, 'main.ts')} in this revision; check out one that has it.`);
  process.exit(1);
}
if (helped(args, join(root, folder, 'main.ts'))) process.exit(0);
await prologueOrExit();
const built = await step(`build of ${folder}`, () => runNode([compiler, '-b', folder]));
if (!built.ok) {
  complain(`${folder} does not build; the compiler says where above.`);
  process.exit(1);
}
const { code } = await runNode(['--import', output, join(folder, 'dist', 'main.js'), ...args]);
process.exit(code);
