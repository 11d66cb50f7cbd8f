// No server outlives the process that started it, however that process ends. The starter here is a
// process of its own, running the built library, so that it can really be killed.

import { jest } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../waiting/wait-for.js';
import { isGone } from './process-tree.js';
import { spawnService, type Service } from './service.js';

jest.setTimeout(120_000);

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const library = new URL('../../dist/index.js', import.meta.url).href;
const STARTER = `
  process.on('SIGUSR2', () => process.exit(0));
  const { startPostgres, startNats } = await import('${library}');
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  console.log('STARTED ' + JSON.stringify({ pids: [postgres.pid, nats.pid], data: postgres.dataDir }));
`;

interface Started {
  readonly pids: number[];
  readonly data: string;
}

async function startServersElsewhere(): Promise<{ starter: Service; started: Started }> {
  const starter = await spawnService({
    name: 'the starter',
    args: ['--input-type=module', '-e', STARTER],
    cwd: root,
    readyWhen: /STARTED .*\n/,
    readyTimeoutMs: 90_000,
  });
  const line = /STARTED (.*)\n/.exec(starter.output())?.[1] ?? '';
  return { starter, started: JSON.parse(line) as Started };
}

describe('servers whose starter is gone', () => {
  beforeAll(() => {
    const tsc = `${root}node_modules/@typescript/native/bin/tsc`;
    const built = spawnSync(process.execPath, [tsc, '-b', `${root}libs/testing`], {
      encoding: 'utf8',
    });
    expect(built.stdout).toBe('');
  });

  it.each([['SIGKILL' as const], ['SIGTERM' as const], ['SIGINT' as const]])(
    'end when it dies of %s, and leave no data behind',
    async (signal) => {
      const { starter, started } = await startServersElsewhere();
      expect(started.pids.some(isGone)).toBe(false);
      starter.kill(signal);
      await starter.exited;
      await waitFor(() => started.pids.every(isGone), { what: 'the servers to end' });
      await waitFor(() => !existsSync(started.data), { what: 'the data to be removed' });
    },
  );

  it('end when it exits without disposing of them', async () => {
    const { starter, started } = await startServersElsewhere();
    process.kill(starter.pid, 'SIGUSR2');
    expect((await starter.exited).code).toBe(0);
    await waitFor(() => started.pids.every(isGone), { what: 'the servers to end' });
    await waitFor(() => !existsSync(started.data), { what: 'the data to be removed' });
  });

  it('are ended even while they are stopped', async () => {
    const { starter, started } = await startServersElsewhere();
    for (const pid of started.pids) process.kill(pid, 'SIGSTOP');
    starter.kill('SIGKILL');
    await waitFor(() => started.pids.every(isGone), { what: 'the servers to end' });
  });
});
