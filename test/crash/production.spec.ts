/**
 * Nothing of the crash points is in what is shipped: not in any package's files, not in a build, not
 * in an image. Guards "test code from outside": a service cannot be made to die by its environment.
 */
import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Product } from '../stage/product.js';

// Processes are started again and again here, on machines that are busy with other things.
jest.setTimeout(300_000);

const ROOT = resolve(import.meta.dirname, '../..');
const TRACES = /CRASH_POINTS|CRASH_SIDE|CRASH_FILE|crash-points|test\/crash/;

interface Packed {
  readonly name: string;
  readonly files: readonly { readonly path: string }[];
}

/** Every file that `npm publish` would ship, of every workspace, and so every build. */
function shipped(): { name: string; path: string }[] {
  const folders = JSON.parse(
    execFileSync('npm', ['query', '.workspace'], { cwd: ROOT, encoding: 'utf8' }),
  ) as { name: string; location: string }[];
  const at = new Map(folders.map(({ name, location }) => [name, location]));
  const packed = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--workspaces'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 64 * 1024 * 1024,
    }),
  ) as Packed[];
  return packed.flatMap(({ name, files }) =>
    files.map(({ path }) => ({ name, path: resolve(ROOT, at.get(name) ?? '', path) })),
  );
}

describe('What is shipped', () => {
  it('holds no crash point in any file of any package', () => {
    const files = shipped();
    const builds = files.filter(({ path }) => path.endsWith('dist/main.js'));
    expect(builds.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['@concordat/coordinator', '@concordat/ledger']),
    );
    const found = files.filter(({ path }) => TRACES.test(readFileSync(path, 'utf8')));
    expect(found).toEqual([]);
  });

  it('is built into images from a context without the tests', () => {
    const lines = readFileSync(resolve(ROOT, '.dockerignore'), 'utf8').split('\n');
    const kept = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(lines).toContain('*');
    expect(kept.filter((path) => path.startsWith('test'))).toEqual([]);
  });

  it('does not die of a crash point in its environment', async () => {
    const env = { CRASH_POINTS: 'decide.pre=kill', CRASH_SIDE: 'coordinator' };
    const product = await Product.start({ participants: ['ledger-east'], env });
    try {
      const operations = [{ name: 'open', input: { account: 'alice', amount: 1 } }];
      const branches = [{ participant: 'ledger-east', operations }];
      const { decision } = await product.client().transactions.submit({ branches });
      expect(decision).toBe('commit');
    } finally {
      await product.dispose();
    }
  });
});
