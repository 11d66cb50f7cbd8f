/** `npm create @concordat` from tarballs, outside of any clone: created, installed, built, its own tests green. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { packTarballs, surroundings, type Tarballs } from '../hosts/stage/host.js';

const run = promisify(execFile);

describe('A service of npm create', () => {
  let tarballs: Tarballs;
  let discard: () => void = () => undefined;
  let folder: string;

  /** Runs a command as a user's shell would. Rejects with what it printed. */
  const shell = async (command: string, cwd: string): Promise<string> => {
    try {
      const options = { cwd, env: surroundings(), maxBuffer: 64 * 1024 * 1024 };
      return (await run('bash', ['-ec', command], options)).stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command} failed:\n${stdout}${stderr}`, { cause: error });
    }
  };
  const QUIETLY = '--prefer-offline --engine-strict=false --no-audit --no-fund --ignore-scripts';

  beforeAll(async () => {
    ({ tarballs, dispose: discard } = await packTarballs());
    folder = mkdtempSync(join(tmpdir(), 'concordat-created-'));
    // What npm does with `npm create`: it installs the package and runs its program.
    await shell(`npm install ${QUIETLY} ${tarballs.get('@concordat/create') ?? ''}`, folder);
  }, 400_000);

  afterAll(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
    discard();
  });

  it.each(['typeorm', 'pg'])(
    'with %s installs, builds, type-checks, and its tests are green',
    async (access) => {
      const packages = dirname(tarballs.get('@concordat/create') ?? '');
      const name = `made-with-${access}`;
      const program = 'node_modules/.bin/concordat-create';
      await shell(`${program} ${name} --with ${access} --packages ${packages}`, folder);
      const service = join(folder, name);
      const { dependencies } = JSON.parse(readFileSync(join(service, 'package.json'), 'utf8')) as {
        dependencies: Record<string, string>;
      };
      expect(dependencies['@concordat/participant']).toMatch(/^file:/);
      await shell(`npm install --no-package-lock ${QUIETLY}`, service);
      await shell('npm run typecheck', service);
      const said = stripVTControlCharacters(await shell('npm test', service));
      expect(said).toMatch(/Tests +3 passed/);
    },
    500_000,
  );
});
