/**
 * Where the services of the development stack are, and in which folder its data is kept: the same
 * commands run in a clone of the repository and from installed packages, in any folder.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartRefused } from '../start-refused.js';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** A service of the stack: its package, beside this one or among its dependencies. */
export type DevApp = 'coordinator' | 'ledger' | 'inventory';

/** The program of a service. */
export function mainOf(app: DevApp): string {
  return join(dirname(require.resolve(`@concordat/${app}/package.json`)), 'dist', 'main.js');
}

/** The program of a service under `examples/`, which no package has. Throws outside of a clone. */
export function exampleMain(name: string): string {
  const folder = clone();
  if (folder) return join(folder, 'examples', name, 'dist', 'main.js');
  throw new StartRefused(
    'the example services are not part of this package',
    'clone the repository, and say `npm run example` there; `concordat dev` starts others here',
  );
}

/** The folder that `.concordat/` is in: the clone that this file is part of, else the current folder. */
export function baseFolder(): string {
  return clone() ?? process.cwd();
}

function clone(): string | undefined {
  const folder = resolve(here, '../../../..');
  return existsSync(join(folder, 'apps', 'cli', 'package.json')) ? folder : undefined;
}
