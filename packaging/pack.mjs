#!/usr/bin/env node
// `npm run pack`: every package as a tarball, in a folder, and nothing published. Each is put together in a
// folder of its own first, so that what is delivered is exactly what is listed here.
//
//   npm run pack -- --out <folder> --tag v1.2.3 --repository <url>

import '../apps/cli/bootstrap/output.mjs';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { carry, write, writeCommonJs, writeEntries, writeModules } from './builds.mjs';
import { checkTarballs } from './check.mjs';
import { carriedBy, publishedManifest } from './manifest.mjs';
import { npmCli } from './npm.mjs';
import { lockStepVersion, packages, root } from './packages.mjs';

/** Writes all tarballs into `out` and returns their paths, by package name. */
export async function pack({ out, repository }) {
  const version = lockStepVersion();
  const stages = join(out, 'unpacked');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(stages, { recursive: true });
  const all = packages();
  for (const one of all) await stage(one, join(stages, nameOf(one)), { version, repository });
  const folders = all.map((one) => join(stages, nameOf(one)));
  const listed = execFileSync(
    process.execPath,
    [npmCli(), 'pack', '--json', '--ignore-scripts', '--pack-destination', out, ...folders],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  // By name since npm 12, a list before.
  const packed = Object.values(JSON.parse(listed));
  const files = new Map(packed.map(({ name, filename }) => [name, filename]));
  const inOrder = all.map(({ manifest: { name } }) => [name, files.get(name)]);
  const order = inOrder.map(([name, file]) => `${name} ${version} ${file}\n`);
  write(join(out, 'order.txt'), order.join(''));
  return new Map(inOrder.map(([name, file]) => [name, join(out, file)]));
}

async function stage(one, target, { version, repository }) {
  const { folder, manifest, isLibrary } = one;
  const source = join(root, folder);
  const dist = join(source, 'dist');
  if (!existsSync(dist)) throw new Error(`${folder} is not built: npm run build, then again`);
  writeModules(dist, join(target, 'dist'));
  if (isLibrary) {
    writeCommonJs(dist, join(target, 'dist', 'cjs'));
    await writeEntries(one, dist, join(target, 'dist'));
  }
  const carried = isLibrary ? undefined : carriedBy(manifest);
  if (carried) carry(carried.name, join(root, carried.folder, 'dist'), join(target, 'dist'));
  for (const one of ['bin', 'templates']) {
    if (existsSync(join(source, one))) cpSync(join(source, one), join(target, one), ALL);
  }
  if (manifest.name === '@concordat/coordinator') addAdminView(target);
  for (const page of ['README.md', 'LICENSE']) {
    const own = join(source, page);
    cpSync(existsSync(own) ? own : join(root, page), join(target, page));
  }
  const published = publishedManifest(one, { version, repository, folder });
  write(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

const ALL = { recursive: true };

/** The coordinator serves the admin view, as files. */
function addAdminView(target) {
  const built = join(root, 'apps', 'admin', 'dist');
  if (!existsSync(join(built, 'index.html'))) {
    throw new Error('the admin view is not built: npm run build, then again');
  }
  cpSync(built, join(target, 'admin'), {
    ...ALL,
    filter: (path) => !/\.(map|tsbuildinfo|d\.ts)$/.test(path),
  });
}

function nameOf({ manifest }) {
  return manifest.name.replace('@concordat/', '');
}

if (import.meta.filename === resolve(process.argv[1] ?? '')) {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, '.concordat', 'packages') },
      tag: { type: 'string' },
      repository: { type: 'string' },
    },
  });
  const out = resolve(values.out);
  const version = lockStepVersion();
  if (values.tag !== undefined && values.tag !== `v${version}`) {
    throw new Error(`the tag is ${values.tag}, and all packages are of version ${version}`);
  }
  const tarballs = await pack({ ...values, out });
  const faults = await checkTarballs(tarballs);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
  else
    console.log(
      `${readdirSync(out).filter((one) => one.endsWith('.tgz')).length} packages in ${out}`,
    );
}
