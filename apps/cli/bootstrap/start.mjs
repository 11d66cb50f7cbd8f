// `npm start`: from a fresh clone to a running stack. Installs and builds what is missing, then hands over
// to the development stack, which answers Ctrl-C in its own order: servers last.

import { prologueOrExit } from './prologue.mjs';
import { runNode } from './commands.mjs';

await prologueOrExit();
const args = ['apps/cli/dist/main.js', 'dev', ...process.argv.slice(2)];
const { code } = await runNode(args, { own: true });
process.exit(code);
