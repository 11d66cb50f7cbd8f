/** Whatever is asked of the server is answered once, by what serves it, and as HTTP has it. */
import { request as ask, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeServer, type Asked, type Handler } from './node-server.js';

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let server: NodeServer;
let seen: string[];

const json =
  (body: unknown, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    server.reply(response, body, 200);
  };

/** A route, as Nest adds it. */
const serve = (path: string, handler: Handler): void => server.get(path, handler as never);

beforeEach(async () => {
  seen = [];
  server = new NodeServer(
    ({ headers }) => String(headers['x-client']),
    (error) => new Error(`translated: ${(error as Error).message}`),
  );
  server.initHttpServer();
  server.setNotFoundHandler((_: Asked, response: never) => server.reply(response, 'none', 404));
  server.setErrorHandler((error: unknown, _: Asked, response: never) => {
    server.reply(response, (server.mapException(error) as Error).message, 500);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => server.close());

function told(
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Told> {
  const { port } = (server.getHttpServer() as Server).address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const asked = ask({ host: '127.0.0.1', port, path, method, headers, agent: false });
    asked.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject).on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    asked.end();
  });
}

describe('A request', () => {
  it('passes all middleware in order, then its handler, which reads what Nest reads', async () => {
    const passing =
      (name: string): Handler =>
      (_, __, next) => {
        seen.push(name);
        next();
        next(); // Once more leads nowhere.
      };
    server.use(passing('first'));
    server.use(passing('second'));
    serve('/v1/:what', (({ params, query, path, originalUrl, ip }, response) => {
      seen.push('handler');
      server.reply(response, { params, query, path, originalUrl, ip }, 200);
    }) satisfies Handler);
    const { status, text, headers } = await told('/v1/a%20b?x=1&x=2&y=%C3%A4', {
      headers: { 'x-client': 'somebody' },
    });
    expect(seen).toEqual(['first', 'second', 'handler']);
    expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(JSON.parse(text)).toEqual({
      params: { what: 'a b' },
      query: { x: ['1', '2'], y: 'ä' },
      path: '/v1/a%20b',
      originalUrl: '/v1/a%20b?x=1&x=2&y=%C3%A4',
      ip: 'somebody',
    });
  });

  it('with the whole address, as a proxy may send it, is the same', async () => {
    serve('/here', json({ here: true }));
    expect((await told('http://example.org/here?x')).text).toBe('{"here":true}');
  });

  it('is answered by the one who knows of paths that none serves', async () => {
    server.use((_, __, next) => next());
    expect(await told('/nowhere')).toMatchObject({ status: 404, text: 'none' });
    expect((await told('/nowhere', { method: 'OPTIONS' })).status).toBe(404);
  });

  it.each([
    ['passes an error on', (_: Asked, __: unknown, next: (error: unknown) => void) => next(oops())],
    ['throws', () => Promise.reject(oops())],
    [
      'throws at once',
      () => {
        throw oops();
      },
    ],
  ])('whose middleware %s is answered by who tells errors', async (_, middleware) => {
    server.use(middleware as Handler);
    serve('/here', json({ here: true }));
    expect(await told('/here')).toMatchObject({ status: 500, text: 'translated: oops' });
  });

  it('whose handler fails is answered, too; and cut off where no answer can be sent any more', async () => {
    serve('/here', () => Promise.reject(oops()));
    expect(await told('/here')).toMatchObject({ status: 500, text: 'translated: oops' });
    server.setErrorHandler(() => Promise.reject(oops()));
    await expect(told('/here')).rejects.toThrow(/hang up|reset/);
  });

  it('with a name that cannot be decoded fails as one that cannot be read', async () => {
    serve('/v1/:what', json({}));
    let failed: unknown;
    server.setErrorHandler((error: unknown, _: Asked, response: never) => {
      failed = error;
      server.reply(response, {}, 400);
    });
    expect((await told('/v1/%FF')).status).toBe(400);
    expect((failed as Error).cause).toBeInstanceOf(URIError);
  });
});

describe('An answer', () => {
  it('to HEAD has the headers of the other and no body', async () => {
    serve('/here', json({ here: 'ä' }));
    const [head, whole] = [await told('/here', { method: 'HEAD' }), await told('/here')];
    expect(head.text).toBe('');
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(whole.text)));
  });

  it('that the client has already is not sent again', async () => {
    serve('/here', json({ here: true }, { ETag: 'W/"v1"' }));
    const statusOf = async (tag: string, more = {}): Promise<number> =>
      (await told('/here', { headers: { 'if-none-match': tag, ...more } })).status;
    expect(await statusOf('"v0", "v1"')).toBe(304);
    expect(await statusOf('*')).toBe(304);
    expect(await statusOf('"v0"')).toBe(200);
    expect(await statusOf('"v1"', { 'cache-control': 'no-cache' })).toBe(200);
    const same = await told('/here', { headers: { 'if-none-match': '"v1"' } });
    expect([same.text, same.headers['content-type'], same.headers.etag]).toEqual([
      '',
      undefined,
      'W/"v1"',
    ]);
  });

  it('that is nothing is empty', async () => {
    serve('/here', json(undefined));
    expect(await told('/here')).toMatchObject({ status: 200, text: '' });
  });
});

function oops(): Error {
  return new Error('oops');
}
