// Builds the admin view when its sources have changed since the last build, and prints nothing when not:
// `npm start` comes through here each time. Guards "what is served is what is in the sources": the stamp
// is a hash of every file that goes in, and is written last.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

// A reader of its warnings that has ended is no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, 'dist');
const stamp = join(dist, '.built-from');
const INPUTS = [
  ...['index.html', 'package.json', 'vite.config.mjs', 'build.mjs', 'public', 'src'],
  '../../libs/words/src',
];

const sources = hashOf(INPUTS.flatMap((name) => filesUnder(join(here, name))));
if (!isBuiltFrom(sources)) {
  clear();
  const { build } = await import('vite');
  await build({ root: here, configFile: join(here, 'vite.config.mjs'), logLevel: 'warn' });
  writeFileSync(stamp, sources);
}

function isBuiltFrom(hash) {
  return (
    existsSync(join(dist, 'index.html')) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === hash
  );
}

function filesUnder(path) {
  if (statSync(path).isFile()) return [path];
  const inside = readdirSync(path, { withFileTypes: true, recursive: true });
  return inside.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files.filter((one) => !/\.spec\.ts$/.test(one)).sort()) {
    hash
      .update(`${relative(here, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

// The compiler's declarations and notes are in .types.
function clear() {
  if (!existsSync(dist)) return;
  for (const name of readdirSync(dist)) {
    if (name !== '.types') rmSync(join(dist, name), { recursive: true, force: true });
  }
}
