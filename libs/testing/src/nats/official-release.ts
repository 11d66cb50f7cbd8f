// The official nats-server release, for systems whose distribution has none. What is run must be what
// was published: the archive has to match the release's own SHA256SUMS, and for platforms with a pin
// the pin below as well, so that a changed release is refused. Only the hash of linux-x64 could be
// confirmed by more than one source; the other platforms depend on SHA256SUMS alone, and a log line
// says so. The version is one without known authorization flaws.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installOnce } from '../places/install-once.js';

export interface NatsRelease {
  readonly version: string;
  /** Where the archives and SHA256SUMS of all versions are. */
  readonly base: string;
  /** sha256 by archive name. */
  readonly pins: Readonly<Record<string, string>>;
}

export const NATS_RELEASE: NatsRelease = {
  version: '2.11.17',
  base: 'https://github.com/nats-io/nats-server/releases/download',
  pins: {
    'nats-server-v2.11.17-linux-amd64.tar.gz':
      'ad608dd0ea8bbfa58c40e3b8f58ed67478eec26166ec49c502db8d17589b51b5',
  },
};

export interface ReleaseOptions {
  readonly cacheDir: string;
  readonly release?: NatsRelease;
  readonly log?: ((line: string) => void) | undefined;
}

const SUMS_TIMEOUT_MS = 10_000;
const ARCHIVE_TIMEOUT_MS = 120_000;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const run = promisify(execFile);

/** The path of the unpacked server; throws with the step that failed. */
export async function natsFromRelease({
  cacheDir,
  release = NATS_RELEASE,
  log,
}: ReleaseOptions): Promise<string> {
  const architecture = ARCHITECTURES[process.arch];
  if (!architecture || !['linux', 'darwin'].includes(process.platform)) {
    throw new Error(`no release is known for ${process.platform}-${process.arch}`);
  }
  const stem = `nats-server-v${release.version}-${process.platform}-${architecture}`;
  const folder = await installOnce(join(cacheDir, stem), async (draft) => {
    const archive = await fetchChecked(release, `${stem}.tar.gz`, log);
    const file = join(draft, 'archive.tar.gz');
    await writeFile(file, archive);
    await run('tar', ['-xzf', file, '-C', draft]);
    await rename(join(draft, stem, 'nats-server'), join(draft, 'nats-server'));
    await rm(file);
  });
  return join(folder, 'nats-server');
}

async function fetchChecked(
  { version, base, pins }: NatsRelease,
  archive: string,
  log: ReleaseOptions['log'],
): Promise<Buffer> {
  const sums = await get(`${base}/v${version}/SHA256SUMS`, SUMS_TIMEOUT_MS);
  const published = publishedSum(sums.toString('utf8'), archive);
  const pinned = pins[archive];
  if (pinned !== undefined && pinned !== published) {
    throw new Error(
      `SHA256SUMS of release ${version} names another hash for ${archive} than the one pinned here (${published}, not ${pinned}): the release was changed, and is not used`,
    );
  }
  if (pinned === undefined)
    log?.(`nats: ${archive} is checked against the release's SHA256SUMS only`);
  const body = await get(`${base}/v${version}/${archive}`, ARCHIVE_TIMEOUT_MS);
  const actual = createHash('sha256').update(body).digest('hex');
  if (actual !== published) {
    throw new Error(
      `${archive} has the sha256 ${actual}, and not ${published} as published: it is not used`,
    );
  }
  return body;
}

function publishedSum(sums: string, archive: string): string {
  for (const line of sums.split('\n')) {
    const [sum, name] = line.trim().split(/\s+\*?/);
    if (name === archive && sum) return sum;
  }
  throw new Error(`SHA256SUMS does not name ${archive}`);
}

async function get(url: string, timeoutMs: number): Promise<Buffer> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (response.ok) return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const cause = (error as Error).cause;
    const reason = cause instanceof Error ? cause.message || cause.name : (error as Error).message;
    throw new Error(`${url} cannot be reached: ${reason}`, { cause: error });
  }
  throw new Error(`${url} answered ${response.status}`);
}
