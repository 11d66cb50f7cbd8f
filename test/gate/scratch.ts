/**
 * A copy of the current tree in a temporary folder, where bugs are put in. Guards "never in the tree
 * itself": what is copied is what git tracks or would, as it is in the working tree, with the build
 * output beside it; dependencies are linked, and the workspaces among them point into the copy.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runChild } from './child.js';
import type { Bug } from './bug.js';

const BUILD_LIMIT_MS = 300_000;
const COMPILER = join('node_modules', '@typescript', 'native', 'bin', 'tsc');
/** Programs of test/ that are compiled before they run. */
const PROGRAMS = [join('test', 'simulation')];

export class ScratchCopy {
  private constructor(readonly folder: string) {}

  /** Copies a tree. */
  static of(root: string): ScratchCopy {
    const place = realpathSync(tmpdir());
    const folder = mkdtempSync(join(place, 'concordat-gate-'));
    const copy = new ScratchCopy(folder);
    try {
      for (const file of trackedFiles(root)) copyInto(folder, root, file);
      for (const file of builtFolders(root)) copyInto(folder, root, file);
      linkDependencies(root, folder, 'node_modules');
      for (const workspace of readdirSync(join(root, 'apps'))) {
        const own = join('apps', workspace, 'node_modules');
        if (existsSync(join(root, own))) linkDependencies(root, folder, own);
      }
      linkCache(root, folder);
    } catch (error) {
      copy.dispose();
      throw error;
    }
    return copy;
  }

  /** Puts a bug in; the result takes it out again. Throws when the patch does not fit the tree. */
  apply(bug: Bug): () => void {
    const clean = bug.touches.map((path) => {
      const file = join(this.folder, path);
      return { file, text: existsSync(file) ? readFileSync(file) : undefined };
    });
    applyPatch(this.folder, bug);
    return () => {
      for (const { file, text } of clean) {
        if (text === undefined) rmSync(file, { force: true });
        else writeFileSync(file, text);
      }
    };
  }

  /** Builds what changed; what the compiler says when it refuses. */
  async build(stop: AbortSignal): Promise<string | undefined> {
    const ended = await runChild([COMPILER, '-b', '.', ...PROGRAMS], {
      folder: this.folder,
      stop,
      limitMs: BUILD_LIMIT_MS,
    });
    if (ended.code === 0 || ended.stopped) return undefined;
    return (
      ended.output.trim().split('\n').slice(0, 3).join('; ') || 'the compiler did not end in time'
    );
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Applies a patch to a tree, or only asks whether it would. Throws with the remedy. */
export function applyPatch(
  root: string,
  bug: Pick<Bug, 'name' | 'file'>,
  flags: readonly string[] = [],
): void {
  try {
    // One line of context on each side is enough: what surrounds a bug may change.
    execFileSync('git', ['apply', '-C1', ...flags, bug.file], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A repository around the copy must not be taken for the tree.
      env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(root) },
    });
  } catch (error) {
    const why = String((error as { stderr?: unknown }).stderr ?? error).trim();
    throw new Error(`${bug.name} does not apply: refresh the patch (${why.split('\n')[0] ?? ''})`, {
      cause: error,
    });
  }
}

function trackedFiles(root: string): string[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', list, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1_048_576 })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

function builtFolders(root: string): string[] {
  const folders = ['libs', 'apps', 'test'].flatMap((floor) =>
    readdirSync(join(root, floor)).map((name) => join(floor, name, 'dist')),
  );
  return folders.filter((folder) => existsSync(join(root, folder)));
}

/** Times are kept: the compiler goes by them. */
function copyInto(folder: string, root: string, file: string): void {
  const target = join(folder, file);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(root, file), target, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
  });
}

/** Links every package, and copies the links to workspaces, which then lead into the copy. */
function linkDependencies(root: string, folder: string, modules: string): void {
  mkdirSync(join(folder, modules), { recursive: true });
  for (const name of readdirSync(join(root, modules))) {
    const path = join(modules, name);
    if (name.startsWith('@')) linkDependencies(root, folder, path);
    else if (lstatSync(join(root, path)).isSymbolicLink()) {
      symlinkSync(readlinkSync(join(root, path)), join(folder, path));
    } else symlinkSync(join(root, path), join(folder, path));
  }
}

/** Servers that were fetched once are not fetched again. */
function linkCache(root: string, folder: string): void {
  const cache = join('.concordat', 'cache');
  if (!existsSync(join(root, cache))) return;
  mkdirSync(join(folder, '.concordat'), { recursive: true });
  symlinkSync(realpathSync(join(root, cache)), join(folder, cache));
}
