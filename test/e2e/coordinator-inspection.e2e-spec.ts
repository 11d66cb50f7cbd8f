/** Looking at transactions: caching, long-polls, timelines, lists, and whose they are. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitFor } from '@concordat/testing';
import { idOfAStranger, Product } from '../stage/product.js';

describe('A transaction', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: [] });
  });

  afterAll(() => product.dispose());

  async function begin(body: object = {}): Promise<string> {
    const begun = await product.request('POST', '/v1/transactions', { body });
    expect(begun.status).toBe(201);
    return `/v1/transactions/${String(begun.body['transactionId'])}`;
  }

  const get = (path: string, headers: Record<string, string> = {}) =>
    product.request('GET', path, { headers });
  const post = (path: string, body?: object) => product.request('POST', path, body ? { body } : {});

  it('is begun by a request without a body, and says where it is', async () => {
    const begun = await post('/v1/transactions');
    expect(begun.status).toBe(201);
    expect(begun.body).toMatchObject({ status: 'active', principal: 'client', branches: [] });
    const location = String(begun.headers.get('location'));
    expect(location).toBe(`/v1/transactions/${String(begun.body['transactionId'])}`);
    expect((await get(location)).body).toMatchObject({ status: 'active' });
  });

  it('answers 304 to its own ETag until something has changed', async () => {
    const path = await begin();
    const etag = String((await get(path)).headers.get('etag'));
    expect((await get(path, { 'if-none-match': etag })).status).toBe(304);
    await post(`${path}/commit`);
    const changed = await get(path, { 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(etag);
  });

  it('is waited for until it is decided', async () => {
    const path = await begin();
    const waiting = get(`${path}?wait=20&until=decided`);
    await post(`${path}/commit`);
    expect((await waiting).body).toMatchObject({ decision: 'commit' });
  });

  it('is waited for until anything has changed', async () => {
    const path = await begin();
    const version = Number((await get(path)).body['version']);
    const waiting = get(`${path}?wait=20s&sinceVersion=${version}`);
    await post(`${path}/rollback`, { reason: 'no longer wanted' });
    const seen = await waiting;
    expect(Number(seen.body['version'])).toBeGreaterThan(version);
    expect(seen.body).toMatchObject({
      decision: 'abort',
      cause: { kind: 'rollback-requested', reason: 'no longer wanted' },
    });
  });

  it('is shown as it is when the wait is over first', async () => {
    const path = await begin();
    const from = performance.now();
    const { status, body } = await get(`${path}?wait=300ms`);
    expect(performance.now() - from).toBeGreaterThan(250);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'active' });
  });

  it('that is not decided within the wait answers 202 with where to look and when', async () => {
    const path = await begin();
    const answer = await post(`${path}/commit?wait=0`);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(answer.headers.get('location')).toBe(path);
    expect((await get(`${path}?wait=20s`)).body).toMatchObject({ decision: 'commit' });
  });

  it('says which preference was honoured', async () => {
    const path = await begin();
    const answer = await product.request('POST', `${path}/commit`, {
      headers: { prefer: 'wait=7' },
    });
    expect(answer.headers.get('preference-applied')).toBe('wait=7');
  });

  it('gives the same answer to a repeated commit, and refuses the opposite', async () => {
    const path = await begin();
    const first = await post(`${path}/commit`);
    const again = await post(`${path}/commit`);
    expect([first.status, again.status]).toEqual([200, 200]);
    const { transactionId, version, endedAt } = first.body;
    expect(again.body).toMatchObject({ transactionId, version, endedAt, status: 'committed' });
    expect((await post(`${path}/rollback`)).body).toMatchObject({ code: 'already-committed' });
  });

  it('that was rolled back can be rolled back again, and never committed', async () => {
    const path = await begin();
    expect((await post(`${path}/rollback`)).status).toBe(200);
    expect((await post(`${path}/rollback`)).status).toBe(200);
    const commit = await post(`${path}/commit`);
    expect(commit.status).toBe(409);
    expect(commit.body).toMatchObject({
      code: 'transaction-aborted',
      decision: 'abort',
      cause: { kind: 'rollback-requested' },
    });
  });

  it('that overran its time-out has aborted, and says so', async () => {
    const path = await begin({ timeoutMs: 100 });
    const { body } = await get(`${path}?wait=20s&until=decided`);
    expect(body).toMatchObject({ decision: 'abort', cause: { kind: 'deadline' } });
    expect((await post(`${path}/commit`)).status).toBe(409);
  });

  it('cannot be worked in any more once it has ended', async () => {
    const path = await begin();
    await post(`${path}/commit`);
    const answer = await post(`${path}/branches`, {
      participant: 'ledger-east',
      operations: [{ name: 'debit', input: {} }],
    });
    expect(answer.status).toBe(409);
  });

  it('can still be read after its coordinator was killed and started again', async () => {
    const committed = await begin({ label: 'kept' });
    await post(`${committed}/commit`);
    const undecided = await begin({ label: 'lost' });
    const text = 'SELECT count(*)::int AS n FROM concordat.journal WHERE label IN ($1, $2)';
    await waitFor(
      async () => (await product.sql('concordat', text, ['kept', 'lost']))[0]?.['n'] === 2,
      { what: 'both to be in the history' },
    );
    await product.kill('coordinator');
    await product.startService('coordinator');
    expect((await get(committed)).body).toMatchObject({ label: 'kept', status: 'committed' });
    // No client gets "aborted" before an abort is on record in the register.
    const aborted = await get(undecided);
    expect(aborted.body).toMatchObject({ label: 'lost', status: 'aborted', decision: 'abort' });
    const id = undecided.split('/').at(-1);
    const standing = await product.sql(
      'concordat',
      'SELECT decision FROM concordat.decision WHERE transaction = $1',
      [id],
    );
    expect(standing).toEqual([{ decision: 'abort' }]);
    expect((await post(`${undecided}/commit`)).status).toBe(409);
  });

  it('without a trace is rolled back for certain when its owner is gone', async () => {
    const asOperator = { key: product.operatorKey };
    const path = `/v1/transactions/${idOfAStranger()}`;
    expect((await product.request('GET', path, asOperator)).status).toBe(404);
    const rolledBack = await product.request('POST', `${path}/rollback`, asOperator);
    expect(rolledBack.body).toMatchObject({ decision: 'abort' });
    expect((await product.request('GET', path, asOperator)).body).toMatchObject({
      status: 'aborted',
    });
  });

  describe('has a timeline', () => {
    it('as JSON', async () => {
      const path = await begin();
      await post(`${path}/commit`);
      const { body } = await get(`${path}/events`);
      const types = (body['events'] as unknown as { type: string }[]).map((one) => one.type);
      expect(types[0]).toBe('begun');
      expect(types.at(-1)).toBe('ended');
    });

    it('as events that arrive as they happen, end with it, and resume where they broke', async () => {
      const path = await begin();
      const id = String(path.split('/').at(-1));
      const { transactions } = product.client();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const event of transactions.events(id)) seen.push(event.type);
      })();
      await waitFor(() => seen.includes('begun'), { what: 'the first event' });
      await transactions.commit(id);
      await watching;
      expect(seen.at(-1)).toBe('ended');
      const rest: number[] = [];
      for await (const event of transactions.events(id, { after: 1 })) rest.push(event.sequence);
      expect(rest[0]).toBe(2);
      const over = await get(`${path}/events`, {
        accept: 'text/event-stream',
        'last-event-id': '999',
      });
      expect(over.status).toBe(204);
    });
  });

  describe('in a list', () => {
    it('comes newest first, page by page, and the pages have no gap', async () => {
      const label = `list-${randomBytes(4).toString('hex')}`;
      const paths: string[] = [];
      for (let n = 0; n < 5; n++) paths.push(await begin({ label }));
      for (const path of paths) await post(`${path}/commit`);
      const { transactions } = product.client();
      const listed = async () => {
        const ids: string[] = [];
        for await (const one of transactions.all({ label, limit: 2 })) ids.push(one.transactionId);
        return ids;
      };
      await waitFor(async () => (await listed()).length === 5, {
        what: 'all to be in the history',
      });
      const newestFirst = paths.map((path) => String(path.split('/').at(-1))).reverse();
      expect(await listed()).toEqual(newestFirst);
      const page = await get(`/v1/transactions?label=${label}&limit=2`);
      const link = /^<([^>]+)>; rel="next"$/.exec(String(page.headers.get('link')))?.[1];
      expect((await get(String(link))).body).toMatchObject({
        transactions: newestFirst.slice(2, 4).map((transactionId) => ({ transactionId })),
      });
      const foreign = String(link).replace(label, 'another');
      expect((await get(foreign)).body).toMatchObject({
        errors: [{ field: 'query cursor' }],
      });
    });
  });

  describe('of another client', () => {
    const other = randomBytes(32).toString('base64url');
    let folder: string;
    let path: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'concordat-keys-'));
      const sha256 = createHash('sha256').update(other).digest('hex');
      const file = join(folder, 'keys.json');
      await writeFile(file, JSON.stringify([{ id: 'other', scope: 'client', sha256 }]));
      await product.restart('coordinator', { env: { CONCORDAT_KEYS_FILE: file } });
      path = await begin({ label: 'mine' });
    });

    afterAll(() => rm(folder, { recursive: true, force: true }));

    const asOther = (method: string, at: string, body?: object) =>
      product.request(method, at, { key: other, ...(body ? { body } : {}) });

    it('is as unknown as one that never existed, to any request', async () => {
      const operations = [{ name: 'x' }];
      for (const [method, at, body] of [
        ['GET', path],
        ['GET', `${path}/events`],
        ['POST', `${path}/branches`, { participant: 'ledger-east', operations }],
        ['POST', `${path}/commit`],
        ['POST', `${path}/rollback`],
      ] as const) {
        const answer = await asOther(method, at, body);
        expect(answer.status).toBe(404);
        expect(answer.body).toMatchObject({ code: 'unknown-or-forgotten' });
      }
      expect((await get(path)).body).toMatchObject({ status: 'active' });
    });

    it('is in no list of theirs, also when they ask for its owner by name', async () => {
      await post(`${path}/commit`);
      const own = async () =>
        (await get('/v1/transactions?label=mine')).body['transactions'] as unknown[] | undefined;
      await waitFor(async () => (await own())?.length === 1, { what: 'it to be in the history' });
      const theirs = await asOther('GET', '/v1/transactions?principal=client');
      expect([theirs.status, theirs.body['code']]).toEqual([403, 'forbidden']);
      expect((await asOther('GET', '/v1/transactions')).body['transactions']).toEqual([]);
    });

    it('is seen and listed by an operator', async () => {
      const at = { key: product.operatorKey };
      expect((await product.request('GET', path, at)).body).toMatchObject({ principal: 'client' });
      const list = await product.request('GET', '/v1/transactions?principal=client&label=mine', at);
      expect(list.body['transactions']).toHaveLength(1);
    });

    it('shares no idempotency key with theirs', async () => {
      const headers = { 'idempotency-key': 'same' };
      const mine = await product.request('POST', '/v1/transactions', { body: {}, headers });
      const again = await product.request('POST', '/v1/transactions', { body: {}, headers });
      const theirs = await product.request('POST', '/v1/transactions', {
        body: { label: 'another body' },
        headers,
        key: other,
      });
      expect([mine.status, again.status, theirs.status]).toEqual([201, 201, 201]);
      expect(again.body['transactionId']).toBe(mine.body['transactionId']);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(theirs.body['transactionId']).not.toBe(mine.body['transactionId']);
      const reused = await product.request('POST', '/v1/transactions', {
        body: { label: 'another body' },
        headers,
      });
      expect(reused.status).toBe(422);
      expect(reused.body).toMatchObject({ code: 'idempotency-key-reused' });
    });
  });

  it('takes at most 3 KiB of its coordinator’s heap while it is open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'concordat-heap-'));
    const to = join(folder, 'heap');
    const hook = pathToFileURL(join(import.meta.dirname, '../stage/heap.mjs')).href;
    const coordinator = await product.restart('coordinator', {
      env: {
        NODE_OPTIONS: `--import=${hook}`,
        HEAP_TO: to,
        CONCORDAT_BEGINS_PER_SECOND_PER_KEY: '1000000',
      },
    });
    const held = async (): Promise<number> => {
      await rm(to, { force: true });
      process.kill(coordinator.pid, 'SIGWINCH');
      await waitFor(() => existsSync(to), { what: 'what the heap holds', timeoutMs: 30_000 });
      return Number(await readFile(to, 'utf8'));
    };
    const beginMany = (count: number) =>
      Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let one = 0; one < count / 8; one++) await begin({ timeoutMs: 300_000 });
        }),
      );
    await beginMany(400); // From here on all code is loaded, and every connection is open.
    const before = await held();
    await beginMany(2_000);
    expect(((await held()) - before) / 2_000).toBeLessThan(3 * 1_024);
    await rm(folder, { recursive: true });
    await product.restart('coordinator');
  }, 300_000);
});
