/** What JSON would change or cannot say is refused by its path, and nothing of the request is sent. */
import { ConcordatClient, InputNotSendable, type Fetch, type OpenTransaction } from './index.js';
import { requestText } from './request-text.js';

const ID = '01m7yqagbxf1n9msr29xrrrv77-6fkr70s7';

/** A client whose requests are begun or aborted by a scripted server here, and what it has sent. */
function listening(): { client: ConcordatClient; sent: string[] } {
  const sent: string[] = [];
  const fetch: Fetch = (url, { method }) => {
    sent.push(`${method} ${new URL(url).pathname}`);
    const status = url.includes('rollback') ? 200 : 201;
    return Promise.resolve(Response.json({ transactionId: ID, branches: [] }, { status }));
  };
  return { client: new ConcordatClient({ url: 'http://listening', apiKey: 'k', fetch }), sent };
}

const operations = (input: unknown) => [{ name: 'debit', input }];
const self: Record<string, unknown> = { a: [1] };
self['again'] = { self };

describe('A value that JSON cannot say', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['NaN', { amount: NaN }, 'amount', /is NaN/],
    ['Infinity', { amount: [1, { of: -Infinity }] }, 'amount[1].of', /is -Infinity/],
    ['a bigint', { list: [1, 10n] }, 'list[1]', /is a bigint.*as text/],
    ['a function', { twice: (n: number) => 2 * n }, 'twice', /is a function/],
    ['a symbol', { mark: Symbol('x') }, 'mark', /is a symbol/],
    ['a hole in an array', { list: [1, undefined] }, 'list[1]', /arrive as null/],
    ['a broken date', { at: new Date(NaN) }, 'at', /is no date/],
    ['a map', { by: new Map([['a', 1]]) }, 'by', /is a Map/],
    ['a set', { of: { of: new Set([1]) } }, 'of.of', /is a Set/],
    ['itself', self, 'again.self', /holds itself/],
    ['what its toJSON makes of it', { a: { toJSON: () => ({ b: NaN }) } }, 'a.b', /is NaN/],
  ])('is refused by its path before anything is sent: %s', async (_, input, path, why) => {
    const { client, sent } = listening();
    const refused = { name: 'InputNotSendable', message: expect.stringMatching(why) as string };
    const branches = [{ participant: 'ledger-east', operations: operations(input) }];
    await expect(client.transactions.submit({ branches })).rejects.toMatchObject({
      ...refused,
      path: `branches[0].operations[0].input.${path}`,
    });
    await expect(
      client.transactions.work(ID, 'ledger-east', operations(input)),
    ).rejects.toMatchObject({ ...refused, path: `operations[0].input.${path}` });
    expect(sent).toEqual([]);
  });

  it('is refused in an option as well', async () => {
    const { client, sent } = listening();
    const begun = client.transactions.begin({ timeoutMs: NaN });
    await expect(begun).rejects.toMatchObject({ path: 'timeoutMs' });
    expect(sent).toEqual([]);
  });

  it('rolls back the transaction whose work met it, also when the work went on', async () => {
    const { client, sent } = listening();
    const work = (tx: OpenTransaction) =>
      tx.call('ledger-east', 'debit', { amount: 1n }).catch(() => 'went on');
    await expect(client.run({}, work)).rejects.toBeInstanceOf(InputNotSendable);
    expect(sent).toEqual(['POST /v1/transactions', `POST /v1/transactions/${ID}/rollback`]);
  });

  it('is nothing that JSON.stringify writes as it is', () => {
    const twice = { n: 1 };
    const body = {
      nothing: undefined,
      none: null,
      numbers: [0, -0.5, 1e21, 5e-324, Number.MAX_VALUE],
      at: new Date(0),
      twice: [twice, { twice }, twice],
      '': { a: { '': [[]] } },
      text: 'a\u0000\ud800',
      is: [true, false],
    };
    expect(requestText(body)).toBe(JSON.stringify(body));
  });
});
