/** What `npm start` runs ends on a signal, and when the process that started it is gone. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const MODULE = pathToFileURL(resolve(import.meta.dirname, '../dist/until-stopped.js')).href;
const WAITS = `
  import { untilStopped } from '${MODULE}';
  const servers = setInterval(() => undefined, 1_000);
  await untilStopped((stopped) => {
    process.send('waiting');
    return stopped;
  });
  clearInterval(servers);
`;
const SHOWS = `
  import { untilStopped } from '${MODULE}';
  const shown = setInterval(() => process.stdout.write('what is stuck'), 10);
  await untilStopped((stopped) => stopped);
  clearInterval(shown);
`;
const FAILS = `
  import { untilStopped } from '${MODULE}';
  await untilStopped(() => Promise.reject(new Error('the port is taken'))).catch(() => {
    process.exitCode = 1;
  });
`;

describe('A command that waits to be stopped', () => {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-cli-'));
  const program = join(folder, 'waits.mjs');
  const showing = join(folder, 'shows.mjs');
  const failing = join(folder, 'fails.mjs');

  beforeAll(() => {
    writeFileSync(program, WAITS);
    writeFileSync(showing, SHOWS);
    writeFileSync(failing, FAILS);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['the end of its channel', (child: ChildProcess) => child.disconnect()],
  ])(
    'ends by itself after %s',
    async (_, stop) => {
      const child = fork(program);
      try {
        await once(child, 'message');
        const exit = once(child, 'exit', { signal: AbortSignal.timeout(5_000) });
        stop(child);
        expect(await exit).toEqual([0, null]);
      } finally {
        child.kill('SIGKILL');
      }
    },
    20_000,
  );

  it('ends by itself once the process that reads its output has ended', async () => {
    const child = spawn(process.execPath, [showing], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const exit = once(child, 'exit', { signal: AbortSignal.timeout(5_000) });
      child.stdout.destroy();
      expect(await exit).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 20_000);

  it('ends by itself when it fails, though the process that started it still listens', async () => {
    const child = fork(failing);
    try {
      const exit = await once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
      expect(exit).toEqual([1, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 20_000);
});
