/**
 * What people run and pipe into a reader that ends (`concordat --help | head -3`) goes on to its own end: no
 * stack trace, and its own exit code. The services without a reader are in test/e2e/transfer.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = resolve(import.meta.dirname, '../..');
const CLI = 'apps/cli/dist/main.js';

/** Runs a program whose output nothing reads, and what it says on the other stream. */
async function unread(
  args: readonly string[],
  stream: 'stdout' | 'stderr',
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child[stream].destroy();
  let said = '';
  const other = stream === 'stdout' ? child.stderr : child.stdout;
  other.on('data', (chunk) => (said += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}

describe('Without a reader of its output', () => {
  it.each<[string, readonly string[], number]>([
    ['the command line', [CLI, '--help'], 0],
    ['a command of it', [CLI, 'stuck', '--help'], 0],
    [
      'the coordinator’s keygen',
      ['apps/coordinator/dist/main.js', 'keygen', '--scope=client', '--id=a'],
      0,
    ],
    ['npm create', ['apps/create/dist/main.js', '--help'], 0],
    ['npm run scripts', ['test/scripts/scripts.mjs', '--help'], 0],
    ['a tool under test/', ['apps/cli/bootstrap/tool.mjs', 'simulation', '--help'], 0],
  ])('%s ends with its own code', async (_, args, code) => {
    expect(await unread(args, 'stdout')).toEqual({ code, said: '' });
  });

  it.each<[string, readonly string[], number]>([
    ['the command line', [CLI, 'no-such-command'], 2],
    ['the coordinator', ['apps/coordinator/dist/main.js', 'no-such-command'], 1],
    ['npm create', ['apps/create/dist/main.js', '--no-such-option'], 2],
    ['npm run release:version', ['packaging/version.mjs', 'none'], 1],
    ['a tool under test/', ['apps/cli/bootstrap/tool.mjs', 'no-such-tool'], 1],
  ])('%s refuses with its own code', async (_, args, code) => {
    expect(await unread(args, 'stderr')).toEqual({ code, said: '' });
  });

  it('a program of this repository goes on, writes more, and ends with its own code', async () => {
    const output = pathToFileURL(join(ROOT, 'apps/cli/bootstrap/output.mjs')).href;
    const program = `
      import '${output}';
      import { setTimeout as pause } from 'node:timers/promises';
      for (let line = 0; line < 5; line++) {
        console.log('line', line);
        console.error('line', line);
        await pause(1);
      }
      process.exitCode = 5;
    `;
    const args = ['--input-type=module', '--eval', program];
    expect((await unread(args, 'stdout')).code).toBe(5);
    expect((await unread(args, 'stderr')).code).toBe(5);
  });

  it('every program that a script of package.json starts takes care of it', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const programs = Object.values(scripts).flatMap((line) =>
      [...line.matchAll(/\bnode (\S+\.mjs)/g)].map(([, path]) => String(path)),
    );
    expect(programs.length).toBeGreaterThan(10);
    const cares = /(bootstrap|\.)\/(output|commands|help)\.mjs'|stream\.on\('error'/;
    const without = programs.filter((path) => !cares.test(readFileSync(join(ROOT, path), 'utf8')));
    expect(without).toEqual([]);
  });

  (existsSync('/dev/full') ? it : it.skip)(
    'the command line says that its output was lost when the disk is full',
    () => {
      const full = spawnSync(
        'sh',
        ['-c', `exec "$0" ${CLI} --help > /dev/full`, process.execPath],
        {
          cwd: ROOT,
          encoding: 'utf8',
        },
      );
      expect(full.stderr).toMatch(/^concordat: the output is lost: ENOSPC/);
      expect(full.status).toBe(1);
    },
  );
});
