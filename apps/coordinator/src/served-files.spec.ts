/** The client of a request is named by trusted proxies only. */
import type { IncomingMessage } from 'node:http';
import { clientBehind } from './served-files.js';

function from(remoteAddress: string, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

describe('The client of a request', () => {
  let clientOf: Awaited<ReturnType<typeof clientBehind>>;

  beforeAll(async () => {
    clientOf = await clientBehind(['10.0.0.0/8', '127.0.0.1', '2001:db8::/32']);
  });

  it.each([
    ['127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['::ffff:127.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', ' 198.51.100.2 , 198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '198.51.100.1, 10.1.2.3, 10.4.5.6', '198.51.100.1'],
    ['2001:db8::1', '198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '10.1.2.3', '10.1.2.3'],
    ['127.0.0.1', undefined, '127.0.0.1'],
    ['198.51.100.9', '198.51.100.1', '198.51.100.9'],
    ['127.0.0.1', 'nonsense, 198.51.100.1', '198.51.100.1'],
    ['127.0.0.1', '198.51.100.1, nonsense', 'nonsense'],
  ])('that comes from %s for %j is %s', (peer, forwarded, client) => {
    expect(clientOf(from(peer, forwarded))).toBe(client);
  });

  it('is not told by anybody where no proxy is trusted', async () => {
    const clientOf = await clientBehind([]);
    expect(clientOf(from('127.0.0.1', '198.51.100.1'))).toBeUndefined();
  });
});
