// `npm run client-types`: writes the types of the client again from the schemas of libs/api.

import { prologueOrExit } from '../../apps/cli/bootstrap/prologue.mjs';
import { runNpm } from '../../apps/cli/bootstrap/commands.mjs';
import { helped } from '../../apps/cli/bootstrap/help.mjs';

if (helped(process.argv.slice(2), new URL(import.meta.url))) process.exit(0);
await prologueOrExit();
process.env.CLIENT_TYPES_REWRITE = '1';
const spec = 'test/fitness/client-types.spec.ts';
const { code } = await runNpm(['run', '--silent', 'jest', '--', spec]);
process.exit(code);
