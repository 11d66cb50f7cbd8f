// The folder a Postgres keeps its data in: found or made, initialised once, within reach of the account
// that runs the server. A folder of the user's is never given other permissions; when it is out of the
// account's reach the data goes elsewhere, to a place that depends on the folder's name alone, so that
// the next start finds it again. The superuser's password is beside the data and is made with it. Temporary
// data is a copy of what initdb has made once on this machine: a copy takes a tenth of its processor time.

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { installOnce } from '../places/install-once.js';
import { reachablePlace, reachableTemporary } from '../places/reachable-place.js';
import { asAccount, canReach, type Account } from '../processes/account.js';
import type { PostgresBinaries } from './find-postgres.js';

export const SUPERUSER = 'postgres';

export interface DataFolder {
  /** What PGDATA is. */
  readonly data: string;
  readonly superuserPassword: string;
  /** The folder to remove when the server is disposed of; undefined when the data was asked to stay. */
  readonly temporary: string | undefined;
  /** The databases that were asked for are in it. */
  readonly isFurnished: boolean;
}

export interface DataFolderOptions {
  readonly dataDir: string | undefined;
  /** What is wanted in it, which `furnish` makes. In temporary data it is made once on this machine, and copied. */
  readonly databases: readonly string[];
  readonly furnish: (folder: DataFolder) => Promise<void>;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** Finds or makes the folder, and initialises it when it is new. */
export async function openDataFolder(options: DataFolderOptions): Promise<DataFolder> {
  const { dataDir, databases, furnish, binaries, account } = options;
  const home = dataDir === undefined ? await temporaryHome(account) : await lastingHome(options);
  const { data, secret } = within(home);
  const temporary = dataDir === undefined ? home : undefined;
  let isFurnished = false;
  try {
    if (existsSync(join(data, 'PG_VERSION'))) assertUsable(data, binaries, account);
    else if (temporary) {
      const init = { home, data, secret, binaries, account };
      isFurnished = await copyNew(init, databases, furnish);
    } else await initialise({ home, data, secret, binaries, account, sync: true });
  } catch (error) {
    if (temporary) await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return folderOf({ data, secret }, { temporary, isFurnished });
}

function folderOf(
  { data, secret }: Pick<Initialisation, 'data' | 'secret'>,
  more: Pick<DataFolder, 'temporary' | 'isFurnished'>,
): DataFolder {
  return { data, superuserPassword: readFileSync(secret, 'utf8').trim(), ...more };
}

async function temporaryHome(account: Account | undefined): Promise<string> {
  const place = reachableTemporary({ account, lasting: false });
  const home = await mkdtemp(join(place, 'concordat-postgres-'));
  // The account passes through; the data folder within is its own.
  if (account) await chmod(home, 0o711);
  return home;
}

async function lastingHome({ dataDir, account, log }: DataFolderOptions): Promise<string> {
  const asked = resolve(dataDir as string);
  if (!account || canReach(nearestExisting(asked), account)) {
    await makeFolder(asked);
    return asked;
  }
  const key = createHash('sha256').update(asked).digest('hex').slice(0, 16);
  const home = join(reachablePlace({ account, lasting: true }), `postgres-data-${key}`);
  log?.(
    `postgres: runs as ${account.name}, who cannot enter ${dirname(asked)}; its data is kept in ${home}`,
  );
  await makeFolder(home);
  return home;
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

// Opens for passage only the folders made here: a strict umask would shut the account out of them.
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    await chmod(made, 0o755);
  }
}

function assertUsable(
  data: string,
  { bin, version, major }: PostgresBinaries,
  account: Account | undefined,
): void {
  const madeBy = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (madeBy !== String(major)) {
    throw new Error(
      `The data in ${data} was made by Postgres ${madeBy}, but ${bin} is version ${version}. Install Postgres ${madeBy}, or remove ${dirname(data)} to start with empty databases.`,
    );
  }
  const owner = statSync(data).uid;
  const runner = account?.uid ?? process.getuid?.() ?? owner;
  if (owner !== runner) {
    throw new Error(
      `The data in ${data} belongs to user id ${owner}, but Postgres runs here as ${account?.name ?? 'you'} (${runner}). Start it as the user who made it, or remove ${dirname(data)} to start with empty databases.`,
    );
  }
}

interface Initialisation {
  readonly home: string;
  readonly data: string;
  readonly secret: string;
  readonly binaries: PostgresBinaries;
  readonly account: Account | undefined;
  readonly sync: boolean;
}

// Never in the place of what a user keeps: servers that are copied have one system identifier and one password.
// True: with these databases.
async function copyNew(
  init: Omit<Initialisation, 'sync'>,
  databases: readonly string[],
  furnish: (folder: DataFolder) => Promise<void>,
): Promise<boolean> {
  const { home, binaries, account } = init;
  const maker = [binaries.bin, binaries.version, account?.name ?? '', ...databases].join('\n');
  const key = createHash('sha256').update(maker).digest('hex').slice(0, 16);
  const place = join(reachablePlace({ account, lasting: false }), `postgres-new-${key}`);
  // Whatever tidies temporary folders may have taken files out of it.
  if (existsSync(place) && !isWhole(place)) await rm(place, { recursive: true, force: true });
  await installOnce(place, async (draft) => {
    if (account) await chmod(draft, 0o711); // It passes through.
    const made = within(draft);
    await initialise({ ...init, ...made, sync: false });
    if (databases.length === 0) return;
    await furnish(folderOf(made, { temporary: undefined, isFurnished: false }));
  });
  const made = [join(place, 'data'), join(place, 'superuser-password')];
  const { status } = spawnSync('cp', ['-a', ...made, home], { cwd: '/', stdio: 'ignore' });
  if (status === 0 && isWhole(home)) return true;
  await rm(join(home, 'data'), { recursive: true, force: true });
  await initialise({ ...init, sync: false });
  return false;
}

function within(home: string): Pick<Initialisation, 'home' | 'data' | 'secret'> {
  return { home, data: join(home, 'data'), secret: join(home, 'superuser-password') };
}

function isWhole(home: string): boolean {
  const needed = ['superuser-password', 'data/PG_VERSION', 'data/global/pg_control'];
  return needed.every((one) => existsSync(join(home, one)));
}

// Crash window: initdb killed half-way leaves a folder that looks initialised. It works on a draft,
// and the rename comes last.
async function initialise(init: Initialisation): Promise<void> {
  const { home, data, secret, binaries, account, sync } = init;
  const draft = await mkdtemp(join(home, 'draft-'));
  const passwordFile = `${draft}.password`;
  const password = randomBytes(18).toString('base64url');
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    if (account) {
      await chown(draft, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    const args = [
      ...['-D', draft, '--username', SUPERUSER, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--no-locale', `--pwfile=${passwordFile}`],
      ...(sync ? [] : ['--no-sync']),
    ];
    const run = spawnSync(join(binaries.bin, 'initdb'), args, {
      cwd: '/',
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
      ...asAccount(account),
    });
    if (run.error || run.status !== 0) {
      const said = run.error?.message ?? `${run.stdout}${run.stderr}`.trim();
      throw new Error(
        `initdb could not make a database cluster in ${home}: ${said}\nFree space or grant rights there, or name another data folder.`,
      );
    }
    await writeFile(secret, `${password}\n`, { mode: 0o600 });
    await rename(draft, data);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}
