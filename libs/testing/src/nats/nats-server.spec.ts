// A real nats-server, as tests get it: on a port of its own, killed, paused and there again.

import { jest } from '@jest/globals';
import { createServer, connect, type Socket } from 'node:net';
import { freePort } from '../ports/free-port.js';
import { isGone } from '../processes/process-tree.js';
import { waitFor } from '../waiting/wait-for.js';
import { startNats, type NatsServer } from './nats-server.js';

jest.setTimeout(180_000);

/** Asks the server for a sign of life in its own protocol, and keeps what it says. */
function greet(port: number): { socket: Socket; said: () => string } {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  socket.write('CONNECT {"verbose":false}\r\nPING\r\n');
  return { socket, said: () => text };
}

describe('a nats-server started for a test', () => {
  let server: NatsServer;
  const lines: string[] = [];

  beforeAll(async () => {
    server = await startNats({ log: (line) => lines.push(line) });
  });

  afterAll(async () => {
    await server.dispose();
  });

  it('says in one line what runs where, and where it came from', () => {
    expect(lines.at(-1)).toMatch(/^nats: 2\.\d+\S* of .* on 127\.0\.0\.1:\d+$/);
    expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
  });

  it('is killed at once, and restarts on the same port', async () => {
    const { port, pid } = server;
    await server.kill();
    expect(isGone(pid as number)).toBe(true);
    expect(server.pid).toBeUndefined();
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
  });

  it('says nothing while it is paused, and answers late when it goes on', async () => {
    const before = greet(server.port);
    await waitFor(() => before.said().includes('PONG'), { what: 'the answer' });
    await server.pause();
    const during = greet(server.port);
    await expect(
      waitFor(() => during.said(), { what: 'an answer of a paused server', timeoutMs: 300 }),
    ).rejects.toThrow('Waited 300 ms');
    server.resume();
    await waitFor(() => during.said().includes('PONG'), { what: 'the late answer' });
    before.socket.destroy();
    during.socket.destroy();
  });

  it('can be stopped while it is paused', async () => {
    await server.pause();
    await server.stop();
    expect(server.alive).toBe(false);
    await server.start();
  });
});

describe('several nats-servers', () => {
  it('run at once without meeting', async () => {
    const [one, two] = await Promise.all([startNats(), startNats()]);
    expect(one.port).not.toBe(two.port);
    await Promise.all([one.dispose(), two.dispose()]);
  });

  it('take a configuration', async () => {
    const server = await startNats({ config: 'max_payload: 4096\n' });
    const { socket, said } = greet(server.port);
    await waitFor(() => said().includes('"max_payload":4096'), { what: 'the greeting' });
    socket.destroy();
    await server.dispose();
  });

  it('say what is wrong with a configuration', async () => {
    await expect(startNats({ config: 'max_payload: {' })).rejects.toThrow(/nats-server ended/);
  });

  it('name the port that was asked for and is taken', async () => {
    const port = await freePort();
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    await expect(startNats({ port })).rejects.toThrow(`127.0.0.1:${port}: the port is in use`);
    await new Promise((resolve) => other.close(resolve));
  });
});
