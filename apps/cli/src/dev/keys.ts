/**
 * The development stack's API keys, one for each scope: made by the coordinator's own `keygen` at the
 * first start that needs them, kept for the next ones, hashed in the file that the coordinator reads.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writePrivately } from './dev-file.js';

interface ClearKeys {
  readonly apiKey: string;
  readonly viewerKey: string;
  readonly adminKey: string;
  readonly forceKey: string;
}

export interface DevKeys extends ClearKeys {
  /** The file with the hashes: CONCORDAT_KEYS_FILE of the coordinator. */
  readonly hashesFile: string;
}

interface MadeKey {
  readonly key: string;
  readonly stored: unknown;
}

const SCOPES: readonly (readonly [name: keyof ClearKeys, scope: string, id: string])[] = [
  ['apiKey', 'client', 'dev'],
  ['viewerKey', 'viewer', 'dev-viewer'],
  ['adminKey', 'operator', 'dev-operator'],
  ['forceKey', 'force', 'dev-force'],
];

const run = promisify(execFile);

/** Reads the keys of an earlier start, and makes those that it did not have. */
export async function devKeys(dataDir: string, coordinatorMain: string): Promise<DevKeys> {
  const clearFile = join(dataDir, 'keys.json');
  const hashesFile = join(dataDir, 'key-hashes.json');
  const hashes = await readJson<{ readonly id: string }[]>(hashesFile, []);
  // A key without its hash would be refused: without the one file the other is worth nothing.
  const kept = hashes.length > 0 ? await readJson<Partial<ClearKeys>>(clearFile, {}) : {};
  const missing = SCOPES.filter(([name]) => kept[name] === undefined);
  if (missing.length === 0) return { ...(kept as ClearKeys), hashesFile };
  const made = await Promise.all(
    missing.map(
      async ([name, scope, id]) => [name, await makeKey(coordinatorMain, scope, id)] as const,
    ),
  );
  const keys = { ...kept, ...Object.fromEntries(made.map(([name, { key }]) => [name, key])) };
  const remade = new Set(missing.map(([, , id]) => id));
  const others = hashes.filter((one) => !remade.has(one.id));
  const stored = [...others, ...made.map(([, one]) => one.stored)];
  await writePrivately(hashesFile, `${JSON.stringify(stored, null, 2)}\n`);
  await writePrivately(clearFile, `${JSON.stringify(keys, null, 2)}\n`);
  return { ...(keys as ClearKeys), hashesFile };
}

async function readJson<T>(path: string, otherwise: T): Promise<T> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return otherwise;
  }
}

async function makeKey(main: string, scope: string, id: string): Promise<MadeKey> {
  const args = [main, 'keygen', '--scope', scope, '--id', id, '--json'];
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout) as MadeKey;
}
