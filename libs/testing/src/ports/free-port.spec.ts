// Ports of tests: free, below the range of outgoing connections, and retried when lost to another.

import { createServer, type Server } from 'node:net';
import { freePort, isFree, launchOnPort } from './free-port.js';

function listenOn(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
  });
}

describe('a port for a test', () => {
  it('is free, and out of the range that outgoing connections are given', async () => {
    const port = await freePort();
    expect(port).toBeGreaterThanOrEqual(15_000);
    expect(port).toBeLessThan(32_768);
    expect(await isFree(port)).toBe(true);
  });

  it('is given out once', async () => {
    const ports = new Set<number>();
    for (let at = 0; at < 200; at += 1) ports.add(await freePort());
    expect(ports.size).toBe(200);
  });

  it('is seen as taken while something listens on it', async () => {
    const port = await freePort();
    const server = await listenOn(port);
    expect(await isFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await isFree(port)).toBe(true);
  });

  it('is chosen again when another process took it before the server could', async () => {
    const tried: number[] = [];
    const port = await launchOnPort<number>('the server', undefined, async (candidate) => {
      tried.push(candidate);
      return tried.length < 3 ? { portTaken: true } : { up: candidate };
    });
    expect(tried).toHaveLength(3);
    expect(port).toBe(tried[2]);
  });

  it('is named in the error when it was asked for and is taken', async () => {
    const launching = launchOnPort('Postgres', 7402, async () => ({ portTaken: true as const }));
    await expect(launching).rejects.toThrow(
      'Postgres cannot listen on 127.0.0.1:7402: the port is in use',
    );
  });
});
