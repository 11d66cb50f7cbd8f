/** Any wrong request of a client gets a 4xx problem that names the field, and begins nothing. */
import { idOfAStranger, Product } from '../stage/product.js';
import { RawConnection } from '../stage/raw-connection.js';
import { branch, WRONG_BODIES } from './wrong-bodies.js';
import { AnswersTable, type HeardProblem as Problem } from './answers-table.js';

describe('A bad request', () => {
  let product: Product;
  const table = new AnswersTable();

  beforeAll(async () => {
    product = await Product.start({ participants: [] });
  });

  afterAll(() => product.dispose());

  /** A request as raw as needed, and its problem. */
  async function refused(
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; problem: Problem }> {
    const begunBefore = await begun();
    const response = await fetch(`${product.coordinatorUrl}${path}`, {
      method: 'POST',
      ...init,
      headers: {
        authorization: `Bearer ${product.clientKey}`,
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      },
    });
    const text = await response.text();
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(text).not.toMatch(/node_modules|\.ts:|\.js:|\n +at /);
    expect(await begun()).toBe(begunBefore);
    const problem = JSON.parse(text) as Problem;
    expect(problem).toMatchObject({
      status: response.status,
      type: `/problems#${problem.code}`,
      title: expect.any(String),
      detail: expect.any(String),
    });
    table.heard(init.method ?? 'POST', path, problem);
    return { status: response.status, problem };
  }

  const begin = (body: unknown, init: RequestInit = {}) =>
    refused('/v1/transactions', {
      ...init,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  const fields = ({ errors = [] }: Problem): string[] => errors.map((one) => one.field);

  async function begun(): Promise<number> {
    const response = await fetch(`${product.coordinatorUrl}/metrics`, {
      headers: { authorization: `Bearer ${product.operatorKey}` },
    });
    return Number(/^concordat_transactions_begun_total (\d+)$/m.exec(await response.text())?.[1]);
  }

  it.each([
    ['broken JSON', '{"label": "x"', 400, 'body'],
    ['text that is no object', '"label"', 400, 'body'],
    ['a list', '[]', 400, 'body'],
    ['a poisoned prototype', '{"__proto__": {"commit": true}}', 400, '__proto__'],
    [
      'a poisoned prototype deep inside',
      '{"branches":[{"participant":"a","operations":[{"name":"x","input":{"__proto__":1}}]}]}',
      400,
      'branches[0].operations[0].input.__proto__',
    ],
    ['a name twice', '{"commit":true,"commit":false}', 400, 'commit'],
    [
      'a name twice deep inside',
      '{"branches":[{"participant":"a","operations":[{"name":"x","input":{"n":1,"n":2}}]}]}',
      400,
      'branches[0].operations[0].input.n',
    ],
  ])('with %s as its body names the body', async (_, body, status, field) => {
    const { status: got, problem } = await begin(body);
    expect(got).toBe(status);
    expect(fields(problem)).toContain(field);
  });

  it('with bytes that are no UTF-8 names the body, rather than replacing them', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"label":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    const { status, problem } = await refused('/v1/transactions', {
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/json' },
    });
    expect(status).toBe(400);
    expect(fields(problem)).toEqual(['body']);
  });

  describe('with a number that would arrive as another one', () => {
    const input = '{"account":"alice","amount":9007199254740993,"rates":[0.1,1e400]}';
    const operations = `[{"name":"debit","input":${input}}]`;
    const branches = `[{"participant":"ledger-east","operations":${operations}}]`;
    const inBranch = 'branches[0].operations[0].input';

    it.each<[string, string, string, Record<string, string>, string]>([
      ['a whole transaction', '', `{"commit":true,"branches":${branches}}`, {}, inBranch],
      ['first work', '', `{"branches":${branches}}`, {}, inBranch],
      [
        'a keyed transaction',
        '',
        `{"commit":true,"branches":${branches}}`,
        { 'idempotency-key': 'transfer-1' },
        inBranch,
      ],
      [
        'a call in an open transaction',
        `/${idOfAStranger()}/branches`,
        `{"participant":"ledger-east","operations":${operations}}`,
        {},
        'operations[0].input',
      ],
    ])('of %s names each of them and says what to do', async (_, path, body, headers, at) => {
      const { status, problem } = await refused(`/v1/transactions${path}`, { body, headers });
      expect(status).toBe(400);
      expect(problem.code).toBe('invalid-request');
      expect(problem.errors).toEqual([
        { field: `${at}.amount`, message: expect.stringMatching(/as 9007199254740992\. Send it/) },
        { field: `${at}.rates[1]`, message: expect.stringMatching(/as Infinity\. Send it/) },
      ]);
    });

    it('that is a time-out names it too', async () => {
      const { problem } = await begin('{"timeoutMs":1e400}');
      expect(fields(problem)).toEqual(['timeoutMs']);
    });
  });

  it.each(WRONG_BODIES)('with %s names the field', async (_, body, field) => {
    const { status, problem } = await begin(body);
    expect(status).toBe(400);
    expect(problem.code).toBe('invalid-request');
    expect(fields(problem)).toContain(field);
  });

  it('with everything wrong at once names everything', async () => {
    const { problem } = await begin({ label: 7, timeoutMs: -1, lable: 'x', commit: 1 });
    expect(fields(problem).sort()).toEqual(['commit', 'label', 'lable', 'timeoutMs']);
  });

  it('with a body of 2 MB is refused by its size', async () => {
    const { status, problem } = await begin({ label: 'x'.repeat(2_000_000) });
    expect(status).toBe(413);
    expect(problem.code).toBe('payload-too-large');
  });

  it('with a body as deep as a well is refused by its depth, without running out of stack', async () => {
    const { status, problem } = await begin(
      `{"branches":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    );
    expect(status).toBe(400);
    expect(fields(problem)[0]).toMatch(/^branches\[0\]/);
  });

  it.each<[string, object, string]>([
    ['label', { lable: 'x' }, 'lable'],
    ['timeoutMs', { timeoutms: 1 }, 'timeoutms'],
    ['participant', { branches: [{ participent: 'a' }] }, 'branches[0].participent'],
    [
      'input',
      { branches: [branch({ operations: [{ name: 'x', inptu: 1 }] })] },
      'branches[0].operations[0].inptu',
    ],
  ])('with a mistyped %s is asked whether that was meant', async (meant, body, field) => {
    const { problem } = await begin(body);
    const message = `is not a known field; did you mean ${meant}?`;
    expect(problem.errors).toContainEqual({ field, message });
  });

  it.each(['commit', 'rollback', 'branches'])(
    'that is a %s as plain text begins and does nothing',
    async (what) => {
      const { status, problem } = await refused(`/v1/transactions/${idOfAStranger()}/${what}`, {
        body: '{}',
        headers: { 'content-type': 'text/plain' },
      });
      expect(status).toBe(415);
      expect(problem.detail).toMatch(/Nothing was done\.$/);
    },
  );

  it.each([
    ['plain text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another character set', { 'content-type': 'application/json; charset=utf-16' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ])('as %s is refused by its type', async (_, headers) => {
    const { status, problem } = await begin({}, { headers });
    expect(status).toBe(415);
    expect(problem.code).toBe('unsupported-media-type');
  });

  it.each([
    ['a wait that is no duration', 'wait=soon', 'query wait'],
    ['a negative wait', 'wait=-1', 'query wait'],
    ['an unknown moment', 'until=never', 'query until'],
    ['an unknown parameter', 'force=true', 'query force'],
    ['a parameter twice', 'wait=1&wait=2', 'query wait'],
  ])('with %s in its address names the parameter', async (_, query, field) => {
    const { status, problem } = await refused(`/v1/transactions?${query}`, { body: '{}' });
    expect(status).toBe(400);
    expect(fields(problem)).toContain(field);
  });

  it.each([
    ['status=lost', 'query status'],
    ['limit=0', 'query limit'],
    ['limit=100000', 'query limit'],
    ['limit=ten', 'query limit'],
    ['participant=A', 'query participant'],
    ['olderThan=yesterday', 'query olderThan'],
    ['cursor=made-up', 'query cursor'],
    ['sort=age', 'query sort'],
    ['label=%00', 'query label'],
    [`label=${'x'.repeat(201)}`, 'query label'],
  ])('for a list with %s names the parameter', async (query, field) => {
    const { status, problem } = await refused(`/v1/transactions?${query}`, { method: 'GET' });
    expect(status).toBe(400);
    expect(fields(problem)).toContain(field);
  });

  describe('of an operator', () => {
    const looked = (path: string, method = 'GET') =>
      refused(path, {
        method,
        headers: { authorization: `Bearer ${product.operatorKey}`, 'if-match': '"x"' },
      });

    it.each([
      ['/v1/admin/transactions?label=%00', 'query label'],
      ['/v1/admin/transactions?q=%00', 'query q'],
      ['/v1/admin/audit?transactionId=%00', 'query transactionId'],
      ['/v1/admin/audit?transactionId=garbage', 'query transactionId'],
      ['/v1/admin/audit?by=%00', 'query by'],
      ['/v1/admin/participants?state=silent', 'query state'],
      ['/v1/admin/overview?since=1h', 'query since'],
    ])('that looks at %s is told the parameter, and of no outage', async (path, field) => {
      const { status, problem } = await looked(path);
      expect(status).toBe(400);
      expect(fields(problem)).toEqual([field]);
    });

    it.each(['%00', '%F0%9F%92%A9', 'x'])('about the operation %s finds none', async (id) => {
      for (const [path, method] of [
        ['', 'GET'],
        ['/start', 'POST'],
        ['/cancel', 'POST'],
      ]) {
        const { problem } = await looked(`/v1/admin/operations/${id}${path}`, method);
        expect([problem.status, problem.code]).toEqual([404, 'unknown-operation']);
      }
    });
  });

  it('for a list of another key is refused to a client, rather than answered with its own', async () => {
    const { status, problem } = await refused('/v1/transactions?principal=another', {
      method: 'GET',
    });
    expect([status, problem.code]).toEqual([403, 'forbidden']);
    expect(problem.detail).toMatch(/needs a key of the viewer scope/);
  });

  it('with an Idempotency-Key that is no key names the header', async () => {
    for (const key of ['x'.repeat(256), 'caf\u00e9', '\t']) {
      const headers = { 'idempotency-key': key };
      if (key.trim() === '') continue; // fetch strips it to nothing
      const { status, problem } = await begin({}, { headers });
      expect(status).toBe(400);
      expect(fields(problem)).toEqual(['header Idempotency-Key']);
    }
  });

  describe('about a transaction', () => {
    const unknown = idOfAStranger();

    it.each([
      ['no id at all', 'garbage'],
      ['a quote', "'%20OR%201=1"],
      ['a path', '..%2f..%2fetc'],
      ['an id with another alphabet', unknown.toUpperCase()],
      ['an id that was never made', unknown],
    ])('with %s as its id gets the answer that nothing is known', async (_, id) => {
      for (const [method, path] of [
        ['GET', `/v1/transactions/${id}`],
        ['GET', `/v1/transactions/${id}/events`],
        ['POST', `/v1/transactions/${id}/commit`],
      ] as const) {
        const { status, problem } = await refused(path, { method });
        expect(status).toBe(404);
        expect(problem.code).toBe('unknown-or-forgotten');
        expect(problem.detail).toMatch(/no record means abort/);
      }
    });

    it('with a broken address names the path', async () => {
      const { status, problem } = await refused('/v1/transactions/%FF', { method: 'GET' });
      expect(status).toBe(400);
      expect(fields(problem)).toEqual(['path']);
    });

    it('that was never made leaves no row behind after a look', async () => {
      await refused(`/v1/transactions/${unknown}`, { method: 'GET' });
      const text = 'SELECT count(*)::int AS n FROM concordat.decision';
      expect(await product.sql('concordat', text)).toEqual([{ n: 0 }]);
    });
  });

  it('that asks for the end of made-up ids finds none, and writes no rows', async () => {
    const text = 'SELECT count(*)::int AS n FROM concordat.decision';
    const before = await product.sql('concordat', text);
    const rollback = (key = product.clientKey) =>
      product.request('POST', `/v1/transactions/${idOfAStranger()}/rollback`, { key });
    const answers = await Promise.all(Array.from({ length: 40 }, () => rollback()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
    expect(await product.sql('concordat', text)).toEqual(before);
    // An operator's look records an abort: a branch may wait for one.
    expect((await rollback(product.operatorKey)).status).toBe(200);
  });

  it('to an unknown path, or with an unknown method, gets the ones that exist', async () => {
    expect((await refused('/v1/nothing', { method: 'GET' })).status).toBe(404);
    const { status, problem } = await refused('/v1/transactions', { method: 'PUT', body: '{}' });
    expect(status).toBe(405);
    expect(problem.code).toBe('method-not-allowed');
  });

  it.each([
    ['DELETE', /it serves GET, HEAD\. To undo it, POST to its address with \/rollback behind/],
    ['PATCH', /To end it, POST to its address with \/commit or \/rollback behind/],
  ])('that would %s a transaction gets what to send instead', async (method, said) => {
    const { status, problem } = await refused(`/v1/transactions/${idOfAStranger()}`, { method });
    expect([status, problem.code]).toEqual([405, 'method-not-allowed']);
    expect(problem.detail).toMatch(said);
  });

  describe('of a key that has its share', () => {
    beforeAll(async () => {
      const env = { CONCORDAT_LIVE_MAX_PER_KEY: '2', CONCORDAT_BODIES_BYTES_MAX: '1048576' };
      await product.restart('coordinator', { env });
    });

    afterAll(() => product.restart('coordinator'));

    const post = (key: string, label = 'x') =>
      product.request('POST', '/v1/transactions', { key, body: { label, timeoutMs: 60_000 } });

    it('of live transactions gets the limit it met and when to come again; another key is admitted', async () => {
      for (let n = 0; n < 2; n++) expect((await post(product.clientKey)).status).toBe(201);
      const { status, headers, body } = await post(product.clientKey);
      expect([status, body['code']]).toEqual([429, 'too-many-transactions-of-key']);
      expect(headers.get('retry-after')).toBe('1');
      expect((await post(product.operatorKey)).status).toBe(201);
    });

    it('of bodies the same, while one of them has not come yet', async () => {
      const slow = new RawConnection(product.coordinatorUrl);
      const headers = [
        'POST /v1/transactions HTTP/1.1',
        'Host: x',
        `Authorization: Bearer ${product.clientKey}`,
        'Content-Type: application/json',
        'Content-Length: 600000',
        'Expect: 100-continue',
      ];
      slow.write(`${headers.join('\r\n')}\r\n\r\n{`);
      await slow.untilHeard(/100 Continue/);
      const { status, body } = await post(product.clientKey, 'x'.repeat(600_000));
      expect([status, body['code']]).toEqual([429, 'too-many-bytes-of-key']);
      expect((await post(product.operatorKey)).status).toBe(201);
      slow.end();
    });
  });

  describe('without the right key', () => {
    const as = (authorization: string | undefined) => ({
      method: 'GET',
      headers: authorization === undefined ? { authorization: '' } : { authorization },
    });

    it.each([
      ['no key', undefined],
      ['a wrong key', `Bearer ${'x'.repeat(43)}`],
      ['a short key', 'Bearer x'],
      ['no scheme', 'x'.repeat(43)],
      ['another scheme', 'Basic YWRtaW46YWRtaW4='],
    ])('with %s is refused and names the header', async (_, authorization) => {
      const { status, problem } = await refused('/v1/transactions', as(authorization));
      expect(status).toBe(401);
      expect(fields(problem)).toEqual(['header Authorization']);
      const isBearer = authorization?.startsWith('Bearer') ?? true;
      if (!isBearer) expect(problem.detail).toMatch(/not of the form `Bearer <key>`/);
    });

    it('of a viewer names the least scope that suffices', async () => {
      const headers = { authorization: `Bearer ${product.viewerKey}` };
      const { status, problem } = await refused('/v1/transactions', { headers, body: '{}' });
      expect(status).toBe(403);
      expect(problem).toMatchObject({ scope: 'viewer', needed: 'client' });
    });

    it.each([
      ['POST', '/v1/transactions', 401],
      ['POST', '/v1/admin/operations', 401],
      ['POST', '/v1/nothing', 404],
      ['PUT', '/v1/transactions', 405],
      ['POST', '/livez', 405],
    ])(
      'is answered before its body comes, and cut off when it does not: %s %s',
      async (method, path, status) => {
        const connection = new RawConnection(product.coordinatorUrl);
        const headers = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 1000000';
        connection.write(`${method} ${path} HTTP/1.1\r\n${headers}\r\n\r\n[`);
        const head = await connection.untilHeard(/\r\n\r\n/);
        expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
        // A byte now and then keeps nothing open.
        const trickle = setInterval(() => connection.write('0,'), 50);
        await connection.closed;
        clearInterval(trickle);
      },
    );

    it('signs in with a key, and with nothing that is larger', async () => {
      const key = 'x'.repeat(5_000);
      const { status, problem } = await refused('/v1/admin/session', {
        headers: { authorization: '' },
        body: JSON.stringify({ key }),
      });
      expect([status, problem.code]).toEqual([413, 'payload-too-large']);
    });

    it('of an operator is refused what operators do', async () => {
      for (const [method, path] of [
        ['GET', '/v1/admin/transactions/x'],
        ['POST', '/v1/admin/transactions/x/actions'],
        ['GET', '/metrics'],
      ] as const) {
        const { status, problem } = await refused(path, { method });
        expect(status).toBe(403);
        expect(problem.code).toBe('forbidden');
      }
    });
  });

  // Last in the file: those before it are what it looks at.
  it('is answered as the page of wrong requests says', () => {
    expect(table.missing()).toEqual([]);
  });
});
