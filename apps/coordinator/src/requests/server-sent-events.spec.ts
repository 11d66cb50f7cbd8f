/** Event streams over real connections: slow readers, readers that go, and what a stream says. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { commentText, eventText, onGone, sendEvents } from './server-sent-events.js';

const KIB = 1_024;
const TEXTS = 1_000;

let server: Server;
let client: Socket;
let response: ServerResponse;
let sent: Promise<void>;
let received: string;

/** Answers the one request of a client with these texts; the client reads nothing until it is resumed. */
async function serve(texts: (to: ServerResponse) => AsyncIterable<string>): Promise<void> {
  server = createServer((_, to) => {
    response = to;
    sent = sendEvents(to, texts(to));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  received = '';
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('data', (chunk) => (received += String(chunk))).pause();
  const asked = once(server, 'request');
  client.write('GET / HTTP/1.0\r\n\r\n');
  await asked;
}

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

describe('A stream of events', () => {
  it('asks its source for no more than a slow reader takes, and loses nothing', async () => {
    let asked = 0;
    await serve(async function* () {
      for (; asked < TEXTS; asked++) yield commentText(`${asked} ${'x'.repeat(64 * KIB)}`);
    });
    let before: number;
    do {
      before = asked;
      for (let turns = 0; turns < 500; turns++) await turn();
    } while (asked > before);
    // What the kernel keeps for a connection, and no more.
    expect(asked).toBeLessThan(TEXTS);
    expect(response.writableLength).toBeLessThan(256 * KIB);
    client.resume();
    await once(client, 'end');
    const numbers = [...received.matchAll(/^: (\d+) /gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: TEXTS }, (_, number) => number));
  });

  it('ends with its source, after what is to be known for coming back', async () => {
    await serve(async function* () {
      yield eventText('a-7', 'transaction', { id: 'x', label: 'two\nlines' });
    });
    client.resume();
    await once(client, 'end');
    const [head = '', ...body] = received.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 200 /);
    expect(head).toMatch(/content-type: text\/event-stream; charset=utf-8/i);
    expect(body.join('')).toBe(
      'retry: 1000\n\nid: a-7\nevent: transaction\ndata: {"id":"x","label":"two\\nlines"}\n\n',
    );
  });

  it.each([
    ['has more to say', () => turn()],
    ['waits', (to: ServerResponse) => new Promise<void>((gone) => void onGone(to, gone))],
  ])('ends its source when the client goes while it %s', async (_, next) => {
    let ended = false;
    await serve(async function* (to) {
      try {
        for (;;) {
          yield commentText('x'.repeat(64 * KIB));
          await next(to);
        }
      } finally {
        ended = true;
      }
    });
    client.destroy();
    await sent;
    expect(ended).toBe(true);
  });

  it('to a client that went before it began asks for nothing that waits', async () => {
    await serve(async function* (to) {
      client.destroy();
      await once(to, 'close');
      await new Promise<void>((gone) => void onGone(to, gone));
      yield commentText();
    });
    await expect(sent).resolves.toBeUndefined();
  });
});
