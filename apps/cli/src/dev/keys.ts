/**
 * The development stack's API keys: made by the coordinator's own `keygen` at the first start, kept
 * for the next ones, hashed in the file that the coordinator reads.
 */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writePrivately } from './dev-file.js';

export interface DevKeys {
  readonly apiKey: string;
  readonly adminKey: string;
  /** The file with the hashes: CONCORDAT_KEYS_FILE of the coordinator. */
  readonly hashesFile: string;
}

interface MadeKey {
  readonly key: string;
  readonly stored: unknown;
}

const run = promisify(execFile);

/** Reads the keys of an earlier start, or makes them. */
export async function devKeys(dataDir: string, coordinatorMain: string): Promise<DevKeys> {
  const clearFile = join(dataDir, 'keys.json');
  const hashesFile = join(dataDir, 'key-hashes.json');
  try {
    await access(hashesFile);
    const kept = JSON.parse(await readFile(clearFile, 'utf8')) as Omit<DevKeys, 'hashesFile'>;
    return { ...kept, hashesFile };
  } catch {
    const [client, operator] = await Promise.all([
      makeKey(coordinatorMain, 'client', 'dev'),
      makeKey(coordinatorMain, 'operator', 'dev-operator'),
    ]);
    const keys = { apiKey: client.key, adminKey: operator.key };
    const hashes = [client.stored, operator.stored];
    await writePrivately(hashesFile, `${JSON.stringify(hashes, null, 2)}\n`);
    await writePrivately(clearFile, `${JSON.stringify(keys, null, 2)}\n`);
    return { ...keys, hashesFile };
  }
}

async function makeKey(main: string, scope: string, id: string): Promise<MadeKey> {
  const args = [main, 'keygen', '--scope', scope, '--id', id, '--json'];
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout) as MadeKey;
}
