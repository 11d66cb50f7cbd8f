/** A path that exists is distinguished from one that does not. */
import { RouteTable } from './route-table.js';

describe('The route table', () => {
  const operation = { responses: {} };
  const table = new RouteTable();
  table.learn({
    paths: {
      '/v1/transactions': { get: operation, post: operation },
      '/v1/transactions/{id}': { get: operation },
      '/v1/transactions/{id}/commit': { post: operation },
      '/docs.json': { get: operation },
    },
  });

  it.each([
    ['/v1/transactions', ['GET', 'POST', 'HEAD']],
    ['/v1/transactions/', ['GET', 'POST', 'HEAD']],
    ['/v1/transactions/abc', ['GET', 'HEAD']],
    ['/v1/transactions/abc/commit', ['POST']],
    ['/v1/transactions/abc/commit/x', []],
    ['/v1/transactionsx', []],
    ['/docsXjson', []],
    ['/', []],
  ])('%s serves %j', (path, methods) => {
    expect(table.methodsOf(path)).toEqual(methods);
  });
});
