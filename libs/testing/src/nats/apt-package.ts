// The distribution's nats-server, unpacked into a cache folder: no root, nothing installed, nothing
// of the system changed. It needs only libc. Where apt has no package lists (a fresh container, or
// lists that are out of date), they are fetched into the cache as well, since the system's own belong
// to root.

import { execFile } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installOnce } from '../places/install-once.js';

const run = promisify(execFile);
const APT_TIMEOUT_MS = 120_000;
const PATIENCE = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=15'];

/** The path of the unpacked server; throws with what apt or dpkg said. */
export async function natsFromDistribution(cacheDir: string): Promise<string> {
  await requireTools();
  const target = join(cacheDir, `nats-server-package-${process.arch}`);
  const folder = await installOnce(target, unpack);
  return join(folder, 'usr', 'sbin', 'nats-server');
}

async function requireTools(): Promise<void> {
  try {
    await run('/bin/sh', ['-c', 'command -v apt-get && command -v dpkg-deb']);
  } catch {
    throw new Error('this system has no apt-get and dpkg-deb');
  }
}

async function unpack(draft: string): Promise<void> {
  const fetched = join(draft, 'fetched');
  await mkdir(fetched);
  try {
    await apt(['download', 'nats-server'], fetched);
  } catch {
    const own = await ownState(fetched);
    await apt([...own, 'update'], fetched);
    await apt([...own, 'download', 'nats-server'], fetched);
  }
  const file = (await readdir(fetched)).find((entry) => entry.endsWith('.deb'));
  if (!file) throw new Error('apt-get download nats-server left no package');
  await run('dpkg-deb', ['-x', join(fetched, file), draft]);
  await rm(fetched, { recursive: true });
}

async function ownState(folder: string): Promise<string[]> {
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
}

async function apt(args: readonly string[], cwd: string): Promise<void> {
  // As root, apt would give the download to an account that may be unable to enter the cache.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
  try {
    await run('apt-get', ['-q', ...PATIENCE, ...sandbox, ...args], {
      cwd,
      timeout: APT_TIMEOUT_MS,
    });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const lines = (stderr ?? '').split('\n').filter((line) => /^E:/.test(line));
    throw new Error(lines.join(' ') || message, { cause: error });
  }
}
