// npm as JavaScript, which starts the same way on every system.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** By the way we were started ourselves, or beside this Node. Throws when there is none. */
export function npmCli() {
  const found = [
    process.env['npm_execpath'] ?? '',
    resolve(process.execPath, '../../lib/node_modules/npm/bin/npm-cli.js'),
    resolve(process.execPath, '../node_modules/npm/bin/npm-cli.js'),
    resolve(process.execPath, '../../share/nodejs/npm/bin/npm-cli.js'),
    resolve(process.execPath, '../../share/npm/bin/npm-cli.js'),
  ].find((path) => path.endsWith('npm-cli.js') && existsSync(path));
  if (found) return found;
  throw new Error('npm was not found beside this Node: start this by `npm run`');
}
