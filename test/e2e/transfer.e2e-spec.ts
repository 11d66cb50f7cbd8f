/** The main job, as a stranger would try it: one request, two databases, both sides or neither. */
import { existsSync } from 'node:fs';
import { ConcordatClient, TransactionAborted } from '@concordat/client';
import { Product, transferBody } from '../stage/product.js';

describe('A transfer between two databases', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: ['ledger-east', 'ledger-west', 'inventory'] });
    await product.openAccounts(10_000);
    await stock('widget', 10);
  });

  afterAll(() => product.dispose());

  const post = (body: unknown, headers: Record<string, string> = {}) =>
    product.request('POST', '/v1/transactions', { body, headers });

  async function stock(sku: string, quantity: number): Promise<void> {
    const operations = [{ name: 'stock', input: { sku, quantity } }];
    await product
      .client()
      .transactions.submit(
        { branches: [{ participant: 'inventory', operations }] },
        { until: 'completed' },
      );
  }

  async function level(sku: string): Promise<number> {
    const text = 'SELECT available FROM stock WHERE sku = $1';
    const [row] = await product.sql<{ available: string }>('inventory', text, [sku]);
    return Number(row?.available);
  }

  it('commits both sides and answers with both balances', async () => {
    const before = await product.balances();
    const { status, body } = await post(transferBody(100));
    expect(status).toBe(200);
    expect(body).toMatchObject({ decision: 'commit', label: 'transfer' });
    expect(body['branches']).toMatchObject([
      { participant: 'ledger-east', outputs: [{ balance: before.alice - 100 }] },
      { participant: 'ledger-west', outputs: [{ balance: before.bob + 100 }] },
    ]);
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual({ alice: before.alice - 100, bob: before.bob + 100 });
  });

  it('waits for every acknowledgement when asked to, and then readers see both sides', async () => {
    const before = await product.balances();
    const answer = await product.request('POST', '/v1/transactions?until=completed', {
      body: transferBody(1),
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'committed', outcome: 'committed' });
    expect(await product.balances()).toEqual({ alice: before.alice - 1, bob: before.bob + 1 });
  });

  it('is refused as a whole when the money is not there: 409 with branch, code and reason', async () => {
    const before = await product.balances();
    const { status, headers, body } = await post(transferBody(1_000_000));
    expect(status).toBe(409);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body['cause']).toMatchObject({
      kind: 'vote',
      participant: 'ledger-east',
      code: 'INSUFFICIENT_FUNDS',
      reason: expect.any(String),
      details: { account: 'alice' },
    });
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual(before);
  });

  it('with an unknown participant is refused at once, not at the deadline', async () => {
    const before = await product.balances();
    const body = transferBody(1, { timeoutMs: 60_000 });
    body.branches.push({ participant: 'nobody-here', operations: [] as never });
    const operations = [{ name: 'debit', input: { account: 'x', amount: 1 } }];
    Object.assign(body.branches[2] as object, { operations });
    const from = performance.now();
    const answer = await post(body);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(answer.status).toBe(409);
    expect(answer.body['cause']).toMatchObject({ kind: 'unreachable', participant: 'nobody-here' });
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual(before);
  });

  it('takes in a third participant of another kind', async () => {
    const body = transferBody(5);
    const branches = [
      ...body.branches,
      {
        participant: 'inventory',
        operations: [{ name: 'reserve', input: { sku: 'widget', quantity: 2 } }],
      },
    ];
    const before = { money: await product.balances(), stock: await level('widget') };
    const { status } = await post({ ...body, branches });
    expect(status).toBe(200);
    await product.untilNothingInDoubt();
    expect(await level('widget')).toBe(before.stock - 2);
    expect((await product.balances()).alice).toBe(before.money.alice - 5);
  });

  it('leaves the other two untouched when the third refuses', async () => {
    const before = await product.balances();
    const body = transferBody(5);
    const operations = [{ name: 'reserve', input: { sku: 'widget', quantity: 1_000 } }];
    const branches = [...body.branches, { participant: 'inventory', operations }];
    const answer = await post({ ...body, branches });
    expect(answer.status).toBe(409);
    expect(answer.body['cause']).toMatchObject({ participant: 'inventory', code: 'OUT_OF_STOCK' });
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual(before);
  });

  it('goes through the interactive calls as well', async () => {
    const before = await product.balances();
    const begun = await post({ label: 'interactive', timeoutMs: 20_000 });
    expect(begun.status).toBe(201);
    const path = new URL(String(begun.headers.get('location')), product.coordinatorUrl).pathname;
    for (const branch of transferBody(7).branches) {
      const worked = await product.request('POST', `${path}/branches`, { body: branch });
      expect(worked.status).toBeLessThan(300);
    }
    expect(await product.balances()).toEqual(before);
    const committed = await product.request('POST', `${path}/commit?until=completed`);
    expect(committed.status).toBe(200);
    expect(await product.balances()).toEqual({ alice: before.alice - 7, bob: before.bob + 7 });
    expect((await product.request('POST', `${path}/commit`)).status).toBe(200);
    expect((await product.request('POST', `${path}/rollback`)).status).toBe(409);
  });

  it('can be rolled back before it is committed', async () => {
    const before = await product.balances();
    const begun = await post({ timeoutMs: 20_000 });
    const path = `/v1/transactions/${String(begun.body['transactionId'])}`;
    await product.request('POST', `${path}/branches`, { body: transferBody(7).branches[0] });
    const rolledBack = await product.request('POST', `${path}/rollback`, {
      body: { reason: 'no' },
    });
    expect(rolledBack.status).toBe(200);
    expect((await product.request('POST', `${path}/commit`)).status).toBe(409);
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual(before);
  });

  it('goes through run(), which commits on return and rolls back on throw', async () => {
    const before = await product.balances();
    const client = product.client();
    const [east, west] = transferBody(3).branches;
    const balance = await client.run({ label: 'run', wait: { until: 'completed' } }, async (tx) => {
      await tx.call('ledger-east', 'debit', east?.operations[0]?.input);
      return tx.call('ledger-west', 'credit', west?.operations[0]?.input);
    });
    expect(balance).toEqual({ balance: before.bob + 3 });
    const thrown = client.run({}, async (tx) => {
      await tx.call('ledger-east', 'debit', east?.operations[0]?.input);
      throw new Error('changed my mind');
    });
    await expect(thrown).rejects.toThrow('changed my mind');
    const refused = client.run({}, (tx) =>
      tx.call('ledger-east', 'debit', { account: 'alice', amount: 1_000_000 }),
    );
    await expect(refused).rejects.toBeInstanceOf(TransactionAborted);
    await product.untilNothingInDoubt();
    expect(await product.balances()).toEqual({ alice: before.alice - 3, bob: before.bob + 3 });
  });

  it('goes through services that are called directly with the context', async () => {
    const before = await product.balances();
    const client: ConcordatClient = product.client();
    await client.run({ label: 'direct', wait: { until: 'completed' } }, async (tx) => {
      for (const [service, account, verb] of [
        ['ledger-east', 'alice', 'debit'],
        ['ledger-west', 'bob', 'credit'],
      ] as const) {
        const response = await fetch(`${product.url(service)}/accounts/${account}/${verb}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...tx.headers() },
          body: JSON.stringify({ amount: 11 }),
        });
        expect(response.status).toBeLessThan(300);
      }
      expect(await product.balances()).toEqual(before);
    });
    expect(await product.balances()).toEqual({ alice: before.alice - 11, bob: before.bob + 11 });
  });

  it('refuses a direct call whose transaction is over, and does no work', async () => {
    const before = await product.balances();
    const begun = await post({});
    const id = String(begun.body['transactionId']);
    await product.request('POST', `/v1/transactions/${id}/rollback`);
    const response = await fetch(`${product.url('ledger-east')}/accounts/alice/debit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'concordat-context': `v1;tx=${id}` },
      body: JSON.stringify({ amount: 11 }),
    });
    expect(response.status).toBe(409);
    expect(await product.balances()).toEqual(before);
  });

  it('takes no slot and writes no decision when nothing is written', async () => {
    const count = async () =>
      (await product.sql('concordat', 'SELECT count(*)::int AS n FROM concordat.decision'))[0]?.[
        'n'
      ];
    const decisions = await count();
    const branches = [
      {
        participant: 'ledger-east',
        operations: [{ name: 'balance', input: { account: 'alice' } }],
      },
      { participant: 'ledger-west', operations: [{ name: 'balance', input: { account: 'bob' } }] },
    ];
    const { status, body } = await post({ commit: true, branches });
    expect(status).toBe(200);
    expect(body['branches']).toMatchObject([
      { vote: { kind: 'read-only' } },
      { vote: { kind: 'read-only' } },
    ]);
    expect(await count()).toBe(decisions);
    expect(await product.prepared()).toEqual([]);
  });

  describe('while the output of services is lost', () => {
    const participants = ['ledger-east', 'ledger-west', 'inventory'] as const;

    async function commitsOne(): Promise<void> {
      const before = await product.balances();
      expect((await post(transferBody(3))).status).toBe(200);
      await product.untilNothingInDoubt();
      expect(await product.balances()).toEqual({ alice: before.alice - 3, bob: before.bob + 3 });
    }

    it('because the process that reads it has ended, commits, and each stops in good order', async () => {
      await Promise.all(
        (['coordinator', ...participants] as const).map((id) =>
          product.restart(id, { output: 'unread' }),
        ),
      );
      await commitsOne();
      const exits = await Promise.all(participants.map((id) => product.service(id).stop()));
      // Nest ends a service that has stopped by the signal that asked for it.
      const inGoodOrder = { code: null, signal: 'SIGTERM' };
      expect(exits).toEqual([inGoodOrder, inGoodOrder, inGoodOrder]);
      expect(await product.service('coordinator').stop()).toEqual({ code: 0, signal: null });
      await product.startDead();
    });

    (existsSync('/dev/full') ? it : it.skip)('because the disk is full, commits', async () => {
      await product.restart('coordinator', { output: 'unwritable' });
      await commitsOne();
      expect(await product.service('coordinator').stop()).toEqual({ code: 0, signal: null });
      await product.startDead();
    });
  });

  describe('under one Idempotency-Key', () => {
    const key = { 'idempotency-key': 'order-4711' };

    it('sent 50 times at once commits once, and all 50 get its answer', async () => {
      const before = await product.balances();
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => post(transferBody(9), key)),
      );
      expect(new Set(answers.map((one) => one.status))).toEqual(new Set([200]));
      expect(new Set(answers.map((one) => one.body['transactionId'])).size).toBe(1);
      for (const { body } of answers) {
        expect(body['branches']).toMatchObject([
          { outputs: [{ balance: before.alice - 9 }] },
          { outputs: [{ balance: before.bob + 9 }] },
        ]);
      }
      await product.untilNothingInDoubt();
      expect(await product.balances()).toEqual({ alice: before.alice - 9, bob: before.bob + 9 });
    });

    it('sent later gets the same answer again, from any coordinator', async () => {
      const before = await product.balances();
      await product.startService('coordinator-2');
      const again = await product.request('POST', '/v1/transactions', {
        body: transferBody(9),
        headers: key,
        at: 'coordinator-2',
      });
      expect(again.status).toBe(200);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(again.body['branches']).toMatchObject([{ outputs: [{}] }, { outputs: [{}] }]);
      await product.untilNothingInDoubt();
      expect(await product.balances()).toEqual(before);
    });

    it('with another body is refused: 422', async () => {
      expect((await post(transferBody(10), key)).status).toBe(422);
    });
  });
});
