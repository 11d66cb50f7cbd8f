/**
 * `.concordat/dev.json`: where the running development stack is, for scripts and tests. Holds keys in
 * clear, so it is readable by its owner only; the coordinator keeps their hashes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface DevFile {
  readonly coordinatorUrl: string;
  /** All of them, that one first. */
  readonly coordinatorUrls: readonly string[];
  readonly adminUrl: string;
  readonly natsUrl: string;
  readonly postgresUrl: string;
  /** Each with the role that owns it; those of `dev --database` among them. */
  readonly databases: Readonly<Record<string, string>>;
  readonly clusterId: string;
  /** Key of scope client. */
  readonly apiKey: string;
  /** Key of scope viewer. */
  readonly viewerKey: string;
  /** Key of scope operator. */
  readonly adminKey: string;
  /** Key of scope force, which is worth no more unless CONCORDAT_FORCE is `enabled`. */
  readonly forceKey: string;
  readonly services: Readonly<Record<string, string>>;
  readonly pids: Readonly<Record<string, number>>;
}

export function devFilePath(dataDir: string): string {
  return join(dataDir, 'dev.json');
}

/** What an earlier or running stack wrote, or undefined. */
export async function readDevFile(dataDir: string): Promise<DevFile | undefined> {
  try {
    return JSON.parse(await readFile(devFilePath(dataDir), 'utf8')) as DevFile;
  } catch {
    return undefined;
  }
}

export async function writeDevFile(dataDir: string, content: DevFile): Promise<void> {
  await writePrivately(devFilePath(dataDir), `${JSON.stringify(content, null, 2)}\n`);
}

/** Writes a file that only its owner can read, whole or not at all. */
export async function writePrivately(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}
