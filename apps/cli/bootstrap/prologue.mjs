// What comes before everything on a fresh clone: the right Node, the dependencies, the build. Each is a
// matter of moments when there is nothing to do, and says what to do when it fails.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complain, root, runNode, runNpm, step } from './commands.mjs';

const NODE_MIN = [20, 19];
const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');
const stamp = join(root, 'node_modules', '.concordat-installed');
const compiler = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
const viewBuild = join(root, 'apps', 'admin', 'build.mjs');

// The versions of the lock file, which stays as it is. Not `npm ci`: it refuses to install at all when the
// lock lacks an optional package of some other platform, as it does when the registry it was written
// from does not serve that one. `--include` holds against NODE_ENV=production and `omit` in the user's
// configuration: the build needs the compiler, the tests need the optional Postgres.
const INSTALL = [
  ...['install', '--no-save', '--include=dev', '--include=optional'],
  ...['--no-audit', '--no-fund'],
];

/** Installs and builds what is missing or out of date; returns the steps taken, the last may have failed. */
export async function prologue() {
  requireNode();
  const steps = [await dependencies()];
  if (!steps[0].ok) return steps;
  steps.push(await build(), await adminView());
  return steps;
}

/** The same, for those who cannot go on without it. */
export async function prologueOrExit() {
  const steps = await prologue();
  if (!steps.every(({ ok }) => ok)) process.exit(1);
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const enough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (enough) return;
  complain(
    `Node ${NODE_MIN.join('.')} or newer is needed, and this is ${process.versions.node}. Install a newer one (https://nodejs.org, or \`nvm install 20\`) and run again.`,
  );
  process.exit(1);
}

async function dependencies() {
  const hash = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (upToDate(hash)) {
    writeFileSync(stamp, hash);
    return { title: 'dependencies', ok: true, code: 0, seconds: '0.0' };
  }
  const result = await step('dependencies (npm install, once; it may take a minute)', () =>
    runNpm(INSTALL),
  );
  if (result.ok) writeFileSync(stamp, hash);
  else {
    complain(
      'the dependencies could not be installed; npm says why above. Check that the npm registry can be reached and that the disk has space, then run again.',
    );
  }
  return { ...result, title: 'dependencies' };
}

// By content, or by a newer `npm install`: a checkout that merely touches the lock file reinstalls nothing.
// npm writes its own copy last, so an install that was interrupted is not taken for done.
function upToDate(hash) {
  if (!existsSync(installed)) return false;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return true;
  return statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

async function build() {
  const result = await step('build', () => runNode([compiler, '-b', '.', 'examples']));
  if (!result.ok) {
    complain(
      'the build failed; the compiler says where above. Correct it, or return to a revision that builds, then run again.',
    );
  }
  return result;
}

// Bundled again only when its sources have changed; its types are checked by the step above.
async function adminView() {
  const result = await step('admin view', () => runNode([viewBuild]));
  if (!result.ok) {
    complain(
      'the admin view could not be built; vite says why above. `node apps/admin/build.mjs` runs this step alone.',
    );
  }
  return result;
}
