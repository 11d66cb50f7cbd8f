// `npm run screenshots`: builds everything, makes real trouble on a stage of its own and takes the
// pictures of the admin view that README and docs show, into docs/images/: each page at 360, 1,280 and 2,560
// pixels, the widest at half its size.

import { prologueOrExit } from '../../apps/cli/bootstrap/prologue.mjs';
import { complain, runNpm, say } from '../../apps/cli/bootstrap/commands.mjs';
import { helped } from '../../apps/cli/bootstrap/help.mjs';

if (helped(process.argv, new URL(import.meta.url))) process.exit(0);
process.env.CONCORDAT_BROWSER = 'required';
await prologueOrExit();
const { code } = await runNpm([
  ...['run', '--silent', 'jest', '--'],
  ...['--testRegex', 'test/browser/screenshots\\.shots\\.ts$', '--runInBand'],
]);
if (code === 0) say('screenshots: in docs/images/');
else complain('screenshots: not taken; the reason is above');
process.exit(code);
