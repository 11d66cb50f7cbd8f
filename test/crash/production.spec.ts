/**
 * Nothing of the crash points is in what is shipped: not in any package's files, not in a build, not
 * in an image. Guards "test code from outside": a service cannot be made to die by its environment.
 */
import { jest } from '@jest/globals';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Product } from '../stage/product.js';

// Processes are started again and again here, on machines that are busy with other things.
jest.setTimeout(300_000);

const ROOT = resolve(import.meta.dirname, '../..');
const TRACES = /CRASH_POINTS|CRASH_SIDE|CRASH_FILE|crash-points|test\/crash/;

interface Manifest {
  readonly name: string;
  readonly files?: readonly string[];
}

/** Every file of every workspace that its manifest lets `npm publish` ship, and so every build. */
function shipped(): { name: string; path: string }[] {
  const folders = ['libs', 'apps'].flatMap((kind) =>
    readdirSync(resolve(ROOT, kind)).map((name) => resolve(ROOT, kind, name)),
  );
  return folders.flatMap((folder) => {
    const manifest = resolve(folder, 'package.json');
    if (!existsSync(manifest)) return [];
    const { name, files = ['.'] } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    const within = files.map((one) => resolve(folder, one)).filter((one) => existsSync(one));
    return [manifest, ...within.flatMap(filesIn)].map((path) => ({ name, path }));
  });
}

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => resolve(entry.parentPath, entry.name));
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
