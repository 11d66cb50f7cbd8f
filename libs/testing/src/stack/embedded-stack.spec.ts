// The whole stack in one call: four databases of four owners, a broker, and nothing left afterwards.

import { jest } from '@jest/globals';
import { existsSync } from 'node:fs';
import { isGone } from '../processes/process-tree.js';
import { onConnection } from '../postgres/databases.sql.js';
import { embeddedStack, STACK_DATABASES } from './embedded-stack.js';

jest.setTimeout(120_000);

describe('the embedded stack', () => {
  it('gives each service a database and a role of its own, and a broker', async () => {
    const stack = await embeddedStack();
    for (const name of STACK_DATABASES) {
      const { rows } = await onConnection(stack.databases[name], (client) =>
        client.query('SELECT current_database() AS database, current_user AS role'),
      );
      expect(rows).toEqual([{ database: name, role: name }]);
    }
    expect(stack.nats.alive).toBe(true);
    await stack.dispose();
  });

  it('leaves no process and no data behind', async () => {
    const stack = await embeddedStack();
    const pids = [stack.postgres.pid, stack.nats.pid] as number[];
    await stack.dispose();
    expect(pids.every(isGone)).toBe(true);
    expect(existsSync(stack.postgres.dataDir)).toBe(false);
  });

  it('leaves nothing behind either when one of the two cannot start', async () => {
    const lines: string[] = [];
    const starting = embeddedStack({
      nats: { natsServerBin: '/nowhere/nats-server' },
      log: (line) => lines.push(line),
    });
    await expect(starting).rejects.toThrow('/nowhere/nats-server');
    const data = /data in (\S+?)(,|$)/.exec(lines.join('\n'))?.[1] ?? '';
    expect(data).not.toBe('');
    expect(existsSync(data)).toBe(false);
  });
});
