/**
 * What `npm create @concordat` writes: it type-checks against the packages as they are here, and nothing is
 * overwritten. That it installs from tarballs, builds and passes its own tests: create.nightly.ts.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ConcordatClient } from '@concordat/client';
import { startConcordat } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../..');
const CREATE = join(ROOT, 'apps/create/bin/concordat-create.mjs');
const COMPILER = join(ROOT, 'node_modules/@typescript/native/bin/tsc');
const run = promisify(execFile);

describe('A service that npm create has written', () => {
  /** Inside of the repository, from where its packages are found. */
  let folder: string;

  beforeAll(() => {
    const cache = join(ROOT, 'node_modules/.cache');
    mkdirSync(cache, { recursive: true });
    folder = mkdtempSync(join(cache, 'concordat-create-'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const create = (...args: string[]) => run(process.execPath, [CREATE, ...args], { cwd: folder });

  it.each(['typeorm', 'pg'])(
    'type-checks with %s, its test too, under its own name',
    async (access) => {
      const name = `my-${access}`;
      const { stdout } = await create(name, '--with', access);
      expect(stdout).toContain(`cd ${name}`);
      const service = join(folder, name);
      const written = readdirSync(service, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
      expect(written.filter((text) => /__\w+__/.test(text))).toEqual([]);
      // Vitest is not installed here; what the test uses of it jest has too.
      const paths = { vitest: [join(ROOT, 'node_modules/@jest/globals/build/index.d.ts')] };
      const settings = { extends: './tsconfig.json', compilerOptions: { paths } };
      writeFileSync(join(service, 'tsconfig.here.json'), JSON.stringify(settings));
      await run(process.execPath, [COMPILER, '-p', 'tsconfig.here.json'], { cwd: service }).catch(
        ({ stdout: said }: { stdout: string }) => expect(said).toBe(''),
      );
    },
  );

  it('is written into an empty folder only, under a name that a participant can have', async () => {
    await create('kept');
    await expect(create('kept')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is there already'),
    });
    await expect(create('My_Service')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('small letters'),
    });
    await expect(create('one', '--with', 'mysql')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('typeorm, pg'),
    });
  });

  it('gets a whole stack for its tests from one call', async () => {
    const stack = await startConcordat({ databases: ['own'] });
    const { coordinatorUrl: url, apiKey } = stack;
    expect(stack.databases['own']).toMatch(/\/own$/);
    const { clusterId } = await new ConcordatClient({ url, apiKey }).cluster();
    expect(clusterId).toMatch(/^[a-z0-9]{8}$/);
    await stack.dispose();
    expect([stack.coordinator.alive, stack.nats.alive, stack.postgres.alive]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
