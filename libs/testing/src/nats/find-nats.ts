// Which nats-server to run. No npm package contains one, so it is looked for in a fixed order: the
// binary that was named, the PATH and the system's folders, the distribution's package unpacked
// without root, the official release. A candidate counts only after it printed its version. When none
// is left, the error says what each step found and what to do.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { natsFromDistribution } from './apt-package.js';
import { natsFromRelease, type NatsRelease } from './official-release.js';

export interface FindNatsOptions {
  /** A binary to use and no other; what NATS_SERVER_BIN names. */
  readonly natsServerBin?: string | undefined;
  /** Where fetched servers are kept. Absent: `.concordat/cache` in the current folder. */
  readonly cacheDir?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** For tests: leave out steps, or take the release from elsewhere. */
  readonly steps?: readonly NatsStep[];
  readonly release?: NatsRelease;
}

export type NatsStep = 'system' | 'distribution' | 'release';

export interface NatsBinary {
  readonly path: string;
  readonly version: string;
  readonly origin: string;
}

const STEPS: readonly NatsStep[] = ['system', 'distribution', 'release'];
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/bin'];
const run = promisify(execFile);

/** The first nats-server that runs here; throws when there is none. */
export async function findNats(options: FindNatsOptions = {}): Promise<NatsBinary> {
  const { natsServerBin, steps = STEPS } = options;
  if (natsServerBin !== undefined) return named(natsServerBin);
  const findings = ['NATS_SERVER_BIN: not set'];
  for (const step of steps) {
    try {
      return await LOOK[step](options);
    } catch (error) {
      findings.push(`${STEP_NAMES[step]}: ${(error as Error).message}`);
    }
  }
  throw new Error(
    [
      'No nats-server was found that runs here.',
      ...findings.map((finding) => `  - ${finding}`),
      "Three ways out: set NATS_URL to a server that is running; or install nats-server (apt-get install nats-server, brew install nats-server) or set NATS_SERVER_BIN to its path; or run once with access to the distribution's packages or to github.com.",
    ].join('\n'),
  );
}

const STEP_NAMES: Readonly<Record<NatsStep, string>> = {
  system: 'PATH and system folders',
  distribution: "the distribution's package",
  release: 'the official release',
};

const LOOK: Readonly<Record<NatsStep, (options: FindNatsOptions) => Promise<NatsBinary>>> = {
  system: () => installed(),
  distribution: async ({ cacheDir }) => {
    const path = await natsFromDistribution(cacheOf(cacheDir));
    return { path, version: await versionOf(path), origin: STEP_NAMES.distribution };
  },
  release: async ({ cacheDir, release, log }) => {
    const path = await natsFromRelease({ cacheDir: cacheOf(cacheDir), release, log });
    return { path, version: await versionOf(path), origin: STEP_NAMES.release };
  },
};

// A binary that was named is used or refused, never passed over for another.
async function named(path: string): Promise<NatsBinary> {
  try {
    return { path, version: await versionOf(path), origin: 'NATS_SERVER_BIN' };
  } catch (error) {
    throw new Error(
      `NATS_SERVER_BIN names ${path}, which does not run: ${(error as Error).message}. Correct it, or unset it to have one looked for.`,
      { cause: error },
    );
  }
}

async function installed(): Promise<NatsBinary> {
  const problems: string[] = [];
  for (const path of await systemCandidates()) {
    try {
      return { path, version: await versionOf(path), origin: 'the system' };
    } catch (error) {
      problems.push(`${path} does not run: ${(error as Error).message}`);
    }
  }
  throw new Error(
    problems.join('; ') || `none, neither on the PATH nor in ${SYSTEM_FOLDERS.join(', ')}`,
  );
}

async function systemCandidates(): Promise<string[]> {
  const folders = SYSTEM_FOLDERS.map((folder) => join(folder, 'nats-server')).filter(existsSync);
  try {
    const { stdout } = await run('/bin/sh', ['-c', 'command -v nats-server']);
    return [...new Set([stdout.trim(), ...folders])];
  } catch {
    return folders;
  }
}

/**
 * It answers in milliseconds; on a machine that does much else even that was seen to take ten seconds,
 * and ended by force it prints nothing and reports success.
 */
const VERSION_TIMEOUT_MS = 60_000;

async function versionOf(path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
  const version = /nats-server: v?(\d\S*)/.exec(stdout + stderr)?.[1];
  if (!version) throw new Error(`it printed no version, but: ${(stdout + stderr).trim()}`);
  return version;
}

function cacheOf(cacheDir: string | undefined): string {
  return resolve(cacheDir ?? join('.concordat', 'cache'));
}
