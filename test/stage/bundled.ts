/**
 * The built services in a few files each, for the tests that start them: two thirds of the processor time of a start
 * go to finding and reading 1,300 modules one by one, and a suite starts ten services and more. The code is what the
 * compiler has built, only the files are others. What tests of `npm start`, of images and of refused starts run, and
 * what asks for it (`asInstalled`), is started from the built files themselves.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'test/stage/bundle.mjs');
const PLACE = join(ROOT, 'node_modules/.cache/concordat-services');
/** What goes in: all that is built, and what a bundle is made with. */
const BUILT = ['libs', 'apps'];
const BESIDE = [PROGRAM, join(ROOT, 'test/crash'), join(ROOT, 'package-lock.json')];
const BUILDING_MS = 120_000;
const KEPT = 4;

export type Bundled = 'coordinator' | 'ledger' | 'inventory' | 'crash-points';

let folder: Promise<string> | undefined;

/** The program of a service, bundled now unless that was done since it was built. */
export async function bundled(name: Bundled): Promise<string> {
  folder ??= bundledSince(await lastBuild());
  return join(await folder, `${name}.mjs`);
}

/** The same as long as no file that goes in has changed. */
async function lastBuild(): Promise<string> {
  const folders = BUILT.map(async (kind) => {
    const names = await readdir(join(ROOT, kind));
    return names.map((name) => join(ROOT, kind, name, 'dist'));
  });
  const hash = createHash('sha256').update(ROOT);
  for (const place of [...(await Promise.all(folders)).flat(), ...BESIDE]) {
    if (!existsSync(place)) continue;
    for (const file of await filesAt(place)) {
      const { mtimeMs, size } = await stat(file);
      hash.update(`${file}\0${mtimeMs}\0${size}\0`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function filesAt(place: string): Promise<string[]> {
  if ((await stat(place)).isFile()) return [place];
  const inside = await readdir(place, { withFileTypes: true, recursive: true });
  const modules = inside.filter((one) => one.isFile() && /\.m?js$/.test(one.name));
  return modules.map((one) => join(one.parentPath, one.name)).sort();
}

// Several workers come here at the same time: one builds, the others wait for it, and build as well if it has died.
async function bundledSince(build: string): Promise<string> {
  const target = join(PLACE, build);
  if (existsSync(target)) return target;
  await mkdir(PLACE, { recursive: true });
  if (!(await hasTurn(target))) {
    const built = { what: 'the services to be bundled', timeoutMs: BUILDING_MS };
    await waitFor(() => existsSync(target), built).catch(() => undefined);
    if (existsSync(target)) return target;
  }
  const draft = await mkdtemp(join(PLACE, 'draft-'));
  try {
    await promisify(execFile)(process.execPath, [PROGRAM, draft], { cwd: ROOT });
    await rename(draft, target);
    await removeOld();
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

async function hasTurn(target: string): Promise<boolean> {
  try {
    await mkdir(`${target}.turn`);
    return true;
  } catch {
    return false;
  }
}

/** Services of an earlier build may be running still: the last few are kept. */
async function removeOld(): Promise<void> {
  const names = (await readdir(PLACE)).filter((name) => !name.startsWith('draft-'));
  const aged = names.map(async (name) => {
    const path = join(PLACE, name);
    return { path, at: (await stat(path)).mtimeMs };
  });
  const old = (await Promise.all(aged)).sort((one, other) => other.at - one.at).slice(2 * KEPT);
  await Promise.all(old.map(({ path }) => rm(path, { recursive: true, force: true })));
}
