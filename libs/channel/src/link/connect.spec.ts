/** A process that waits for the broker gets the cause, also where Node gives the client none. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { connectChannel } from './connect.js';
import { causeOf } from './connect-cause.js';

describe('Waiting for the broker', () => {
  let server: Server | undefined;

  afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

  /** What is said while a broker at this address is waited for, and in the end. */
  async function saidOf(address: string): Promise<{ waiting: string; end: string }> {
    const said: string[] = [];
    const connecting = connectChannel({
      servers: address,
      name: 'somebody',
      firstConnectMs: 0,
      onWaiting: (why) => said.push(why),
    });
    const end = await connecting.then(
      () => 'connected',
      (error: unknown) => String(error),
    );
    return { waiting: said.join('\n'), end };
  }

  it('names the cause when the connection is accepted and closed without a word', async () => {
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { waiting, end } = await saidOf(`nats://127.0.0.1:${port}`);
    for (const text of [waiting, end]) {
      expect(text).toContain('accepted and closed before a broker said anything');
      expect(text).not.toContain('undefined');
    }
  });

  it('names the address that refuses', async () => {
    const { waiting } = await saidOf('nats://127.0.0.1:1');
    expect(waiting).toBe('connection refused: connect ECONNREFUSED 127.0.0.1:1');
  });

  it.each([
    [
      new AggregateError([new Error('connect ECONNREFUSED ::1:1')], ''),
      'connect ECONNREFUSED ::1:1',
    ],
    [Object.assign(new Error(''), { code: 'ETIMEDOUT' }), 'ETIMEDOUT'],
    [undefined, 'undefined'],
  ])('has words for %p', (error, words) => {
    expect(causeOf(error)).toBe(words);
  });
});
