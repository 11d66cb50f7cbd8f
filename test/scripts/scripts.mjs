/**
 * `npm run scripts [-- <word>]`: runs the stories, all or those whose name contains a word.
 * `--rewrite` writes what really happened into those that differ, so that the difference can be read
 * before it is committed.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { helped } from '../../apps/cli/bootstrap/help.mjs';

const words = process.argv.slice(2);
if (helped(words, new URL(import.meta.url))) process.exit(0);
const [only] = words.filter((one) => !one.startsWith('--'));
const flags = words.filter((one) => one.startsWith('--'));
const unknown = flags.filter((one) => one !== '--rewrite');
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: there is --rewrite`);
  process.exit(2);
}

const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    'test/scripts/scripts.spec.ts',
  ],
  {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: 'inherit',
    env: {
      ...process.env,
      ...(only ? { SCRIPTS_ONLY: only } : {}),
      ...(flags.includes('--rewrite') ? { SCRIPTS_REWRITE: '1' } : {}),
    },
  },
);
process.exitCode = status ?? 1;
