/** A path finds its handler as clients have always written it, and nothing else does. */
import { Routes } from './routes.js';

const routes = new Routes<string>();
for (const [method, path] of [
  ['GET', '/v1/transactions'],
  ['POST', '/v1/transactions/'],
  ['GET', '/v1/transactions/:id'],
  ['POST', '/v1/transactions/:id/commit'],
  ['GET', '/v1/admin/transactions/:id/branches/:branch'],
  ['GET', '/v1/admin/transactions/:id'],
  ['POST', '/v1/admin/transactions/summary'],
  ['GET', '/healthz'],
  ['GET', '/'],
] as const) {
  routes.add(method, path, `${method} ${path}`);
}

describe('A path', () => {
  it.each([
    ['POST', '/v1/transactions', 'POST /v1/transactions/', {}],
    ['POST', '/v1/transactions/', 'POST /v1/transactions/', {}],
    ['POST', '/V1/Transactions', 'POST /v1/transactions/', {}],
    ['HEAD', '/v1/transactions', 'GET /v1/transactions', {}],
    ['GET', '/v1/transactions/AbC', 'GET /v1/transactions/:id', { id: 'AbC' }],
    ['HEAD', '/v1/transactions/abc/', 'GET /v1/transactions/:id', { id: 'abc' }],
    ['GET', '/v1/transactions/a%2Fb%20c', 'GET /v1/transactions/:id', { id: 'a/b c' }],
    ['POST', '/v1/transactions/abc/commit', 'POST /v1/transactions/:id/commit', { id: 'abc' }],
    [
      'GET',
      '/v1/admin/transactions/x/branches/2',
      'GET /v1/admin/transactions/:id/branches/:branch',
      { id: 'x', branch: '2' },
    ],
    // The static segment is there for another method only.
    ['GET', '/v1/admin/transactions/summary', 'GET /v1/admin/transactions/:id', { id: 'summary' }],
    ['GET', '/', 'GET /', {}],
  ])('%s %s is served by %s', (method, path, handler, params) => {
    const found = routes.find(method, path);
    expect({ ...found, params: { ...found?.params } }).toEqual({ handler, params });
  });

  it.each([
    ['PUT', '/v1/transactions'],
    ['HEAD', '/v1/transactions/abc/commit'],
    ['GET', '/v1/transactions//'],
    ['GET', '/v1//transactions'],
    ['GET', '//v1/transactions'],
    ['GET', '/v1/transactions/abc/commit/x'],
    ['GET', '/v1/%74ransactions'],
    ['GET', '/v1'],
    ['GET', '*'],
    ['GET', '/v1/transactions/../healthz'],
  ])('%s %s is served by nothing', (method, path) => {
    expect(routes.find(method, path)).toBeUndefined();
  });

  it.each([
    ['/v1/transactions', ['GET', 'POST', 'HEAD']],
    ['/v1/transactions/', ['GET', 'POST', 'HEAD']],
    ['/V1/transactions', ['GET', 'POST', 'HEAD']],
    ['/v1/transactions/abc', ['GET', 'HEAD']],
    ['/v1/transactions/%FF', ['GET', 'HEAD']],
    ['/v1/transactions/abc/commit', ['POST']],
    ['/v1/admin/transactions/summary', ['GET', 'POST', 'HEAD']],
    ['/v1/transactions/abc/commit/x', []],
    ['/v1/transactionsx', []],
    ['/v1', []],
    ['/', ['GET', 'HEAD']],
    ['*', []],
  ])('%s serves %j', (path, methods) => {
    expect(routes.methodsOf(path)).toEqual(methods);
  });

  it('with a name that cannot be decoded is said so', () => {
    expect(() => routes.find('GET', '/v1/transactions/%FF')).toThrow(URIError);
  });

  it('cannot reach what every object has', () => {
    expect(routes.find('GET', '/constructor')).toBeUndefined();
    expect(routes.find('constructor', '/healthz')).toBeUndefined();
  });

  it('is refused as a route where it has another form', () => {
    expect(() => routes.add('GET', '/v1/*path', '')).toThrow(/plain segments/);
  });
});
