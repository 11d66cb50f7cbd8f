// `npm start`: from a fresh clone to a running stack. Installs and builds what is missing, then starts
// the development stack, which answers Ctrl-C in its own order: servers last. `npm run demo:stuck` does
// the same for another command of `concordat`: what follows is its name, `dev` unless given; options alone
// are those of `dev`.

import { prologueOrExit } from './prologue.mjs';
import { runNode } from './commands.mjs';

await prologueOrExit();
const given = process.argv.slice(2);
const command = given.length === 0 || given[0].startsWith('-') ? ['dev', ...given] : given;
const { code } = await runNode(['apps/cli/dist/main.js', ...command], { own: true });
process.exit(code);
