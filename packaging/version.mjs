#!/usr/bin/env node
// `npm run release:version -- 1.2.3`: gives all packages one version, and makes them depend on it. Commit the
// result, and tag it `v1.2.3`: the release workflow does the rest.

import '../apps/cli/bootstrap/output.mjs';
import { execFileSync } from 'node:child_process';
import { readdirSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmCli } from './npm.mjs';
import { isOurs, readJson, root } from './packages.mjs';

const [version] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version ?? '')) {
  console.error('Give a version: npm run release:version -- 1.2.3');
  process.exit(1);
}

const folders = ['libs', 'apps', 'examples'].flatMap((kind) =>
  readdirSync(join(root, kind)).map((name) => join(root, kind, name)),
);
for (const folder of [root, ...folders]) {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) continue;
  const manifest = readJson(path);
  manifest.version = version;
  for (const needs of [manifest.dependencies ?? {}, manifest.peerDependencies ?? {}]) {
    for (const name of Object.keys(needs)) if (isOurs(name)) needs[name] = version;
  }
  writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
}
const lock = [npmCli(), 'install', '--package-lock-only', '--no-audit', '--no-fund'];
execFileSync(process.execPath, lock, { cwd: root, stdio: 'inherit' });
