/** A client of several coordinators: it keeps to the owner, and to one that answers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConcordatClient, CoordinatorUnreachable } from './index.js';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const say =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
const problem = (status: number, code: string): Answer =>
  say(status, { status, code, detail: code, title: code, type: code, retryable: true });
const idOf = (owner: string): string => `01m7yqagbxf1n9msr29xrrrv77-${owner}`;
const begun = (owner: string): Answer => say(201, { transactionId: idOf(owner), owner });
const committed = (owner: string): Answer =>
  say(200, { transactionId: idOf(owner), decision: 'commit', status: 'committed' });
const cut: Answer = (response) => response.destroy();

describe('A client of several coordinators', () => {
  let servers: Server[];
  let urls: string[];
  let seen: string[];
  /** What each answers, in turn. */
  let scripts: Answer[][];

  beforeEach(async () => {
    seen = [];
    scripts = [[], [], []];
    servers = await Promise.all(
      scripts.map(async (_, n) => {
        const server = createServer((request, response) => {
          request.resume().on('end', () => {
            seen.push(`${n} ${request.method} ${(request.url ?? '').split('?')[0]}`);
            (scripts[n]?.shift() ?? problem(500, 'script-is-over'))(response, request);
          });
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      }),
    );
    urls = servers.map((one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`);
  });

  afterEach(async () => {
    await Promise.all(servers.map((_, n) => close(n)));
  });

  const close = async (n: number): Promise<void> => {
    servers[n]?.closeAllConnections();
    await new Promise((resolve) => servers[n]?.close(resolve));
  };
  const clientOf = (retries = 2) => new ConcordatClient({ url: urls, apiKey: 'k', retries });
  const path = (owner: string, what = '') => `/v1/transactions/${idOf(owner)}${what}`;

  it('goes on where a transaction was begun, also after others were begun elsewhere', async () => {
    scripts = [
      [begun('aaaaaaaa'), problem(429, 'too-many-transactions'), committed('aaaaaaaa')],
      [begun('bbbbbbbb'), committed('bbbbbbbb')],
      [],
    ];
    const { transactions } = clientOf();
    await transactions.begin();
    await transactions.begin();
    await transactions.commit(idOf('bbbbbbbb'));
    await transactions.commit(idOf('aaaaaaaa'));
    expect(seen).toEqual([
      '0 POST /v1/transactions',
      '0 POST /v1/transactions',
      '1 POST /v1/transactions',
      `1 POST ${path('bbbbbbbb', '/commit')}`,
      `0 POST ${path('aaaaaaaa', '/commit')}`,
    ]);
  });

  it('asks the next one at once where one is not there, for any request, and remembers that', async () => {
    await close(0);
    scripts = [[], [begun('bbbbbbbb'), begun('bbbbbbbb')], []];
    const { transactions } = clientOf(0);
    // Not repeatable by itself: but where there is no listener nothing was begun.
    await transactions.begin({ idempotencyKey: 'mine' });
    await transactions.begin({ idempotencyKey: 'another' });
    expect(seen).toEqual(['1 POST /v1/transactions', '1 POST /v1/transactions']);
  });

  it('asks the next one where one turns it away', async () => {
    scripts = [
      [problem(503, 'shutting-down')],
      [problem(429, 'too-many-transactions')],
      [begun('cccccccc')],
    ];
    const { transaction } = await clientOf(0).transactions.begin({ idempotencyKey: 'mine' });
    expect(transaction.transactionId).toBe(idOf('cccccccc'));
    expect(seen).toHaveLength(3);
  });

  it('asks another for what its owner has not answered, where a repeat is safe', async () => {
    scripts = [
      [begun('aaaaaaaa'), cut, cut],
      [say(200, { outputs: [7] }), committed('aaaaaaaa')],
      [],
    ];
    const { transactions } = clientOf();
    const { transaction } = await transactions.begin();
    const id = transaction.transactionId;
    expect(await transactions.work(id, 'ledger-east', [{ name: 'debit' }])).toEqual([7]);
    expect(await transactions.commit(id)).toMatchObject({ decision: 'commit' });
    expect(seen.map((one) => one[0])).toEqual(['0', '0', '1', '1']);
  });

  it('does not repeat elsewhere what may have been carried out and is not repeatable', async () => {
    scripts = [[cut], [begun('bbbbbbbb')], []];
    const begin = clientOf().transactions.begin({ idempotencyKey: 'mine' });
    await expect(begin).rejects.toBeInstanceOf(CoordinatorUnreachable);
    expect(seen).toEqual(['0 POST /v1/transactions']);
  });

  it('says so when none of them answers', async () => {
    for (const n of [0, 1, 2]) await close(n);
    await expect(clientOf(0).cluster()).rejects.toBeInstanceOf(CoordinatorUnreachable);
  });

  it('is refused a list that has no address in it', () => {
    for (const url of [[], ['http://127.0.0.1:1', 'nonsense']]) {
      expect(() => new ConcordatClient({ url, apiKey: 'k' })).toThrow(/url must be the address/);
    }
  });
});
