// Services as real processes: readiness, signals, and last words when one fails.

import { spawnService } from './service.js';

const SERVICE = `
  const http = require('node:http');
  const server = http.createServer((request, answer) => answer.end('here'));
  process.on('SIGTERM', () => { console.log('leaving'); process.exit(0); });
  server.listen(0, '127.0.0.1', () => console.log('listening on ' + server.address().port));
`;

function start() {
  return spawnService({
    name: 'a service',
    args: ['-e', SERVICE],
    env: {},
    readyWhen: /listening on \d+/,
  });
}

describe('a service started by a test', () => {
  it('is ready once it says so, and ends in good order when asked to', async () => {
    const service = await start();
    expect(service.alive).toBe(true);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await service.waitForOutput('leaving');
  });

  it('can be ready by a condition of its own', async () => {
    const service = await spawnService({
      name: 'a service',
      args: ['-e', SERVICE],
      env: {},
      readyWhen: async (starting) => {
        const port = /listening on (\d+)/.exec(starting.output())?.[1];
        return port !== undefined && (await fetch(`http://127.0.0.1:${port}/`)).ok;
      },
    });
    await service.stop();
  });

  it('can be killed at any moment', async () => {
    const service = await start();
    service.kill('SIGKILL');
    expect(await service.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(service.alive).toBe(false);
  });

  it('does not answer while it is stopped, and goes on when it is continued', async () => {
    const service = await start();
    const port = /listening on (\d+)/.exec(service.output())?.[1];
    service.kill('SIGSTOP');
    const asked = fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(300) });
    await expect(asked).rejects.toThrow(/timeout|aborted/i);
    service.kill('SIGCONT');
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('here');
    await service.stop();
  });

  it('can be ended while it is stopped', async () => {
    const service = await start();
    service.kill('SIGSTOP');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('quotes its last words when it ends before it is ready', async () => {
    const starting = spawnService({
      name: 'ledger-east',
      args: ['-e', 'console.error("DATABASE_URL is missing"); process.exit(3)'],
      env: {},
      readyWhen: 'never said',
    });
    await expect(starting).rejects.toThrow(
      /ledger-east ended \(exit code 3\)[^]*DATABASE_URL is missing/,
    );
  });

  it('is ended, and quoted, when it does not get ready in time', async () => {
    const starting = spawnService({
      name: 'ledger-west',
      // No Node: on a busy machine that may need the whole time to say anything.
      command: '/bin/sh',
      args: ['-c', 'echo still thinking; exec sleep 60'],
      env: { PATH: process.env['PATH'] },
      readyWhen: 'never said',
      readyTimeoutMs: 700,
    });
    await expect(starting).rejects.toThrow(
      /Waited 700 ms for ledger-west to get ready[^]*still thinking/,
    );
  });

  it('names the program that cannot be started', async () => {
    const starting = spawnService({
      name: 'a service',
      command: '/nowhere/program',
      args: [],
      readyWhen: 'never said',
    });
    await expect(starting).rejects.toThrow('a service could not be started from /nowhere/program');
  });

  it('sees no environment but the one it is given', async () => {
    const service = await spawnService({
      name: 'a service',
      args: ['-e', 'console.log("env " + JSON.stringify(process.env)); setInterval(() => 0, 1000)'],
      env: { ONLY: 'this' },
      readyWhen: 'env ',
    });
    expect(service.output()).toContain('env {"ONLY":"this"}');
    await service.stop();
  });
});
