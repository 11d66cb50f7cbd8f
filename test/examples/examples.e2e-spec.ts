/**
 * The example of `examples/`: an order (TypeORM), stock (Drizzle) and payment (Prisma) in one transaction,
 * and the one trace that shows it, whichever process was killed meanwhile.
 */
import { ExamplesOnStage, SERVICES, type Span } from './stage.js';

describe('An order of the example', () => {
  let stage: ExamplesOnStage;

  beforeAll(async () => {
    stage = await ExamplesOnStage.start();
  }, 120_000);

  afterAll(() => stage?.dispose());

  /** What ada and bob, chairs and tables are after all that was begun has ended. */
  const settled = async () => {
    await stage.product.untilAllEnded();
    return { ...(await stage.state('ada', 'chair')), tables: await tables(), bob: await bob() };
  };
  const tables = async () => (await stage.state('ada', 'table')).available;
  const bob = async () => (await stage.state('bob', 'chair')).balance;

  it('is placed, reserved and paid together, and one trace shows who took part', async () => {
    const before = await settled();
    const { status, body } = await stage.order('ada', 'chair', 2);
    expect([status, body['total']]).toEqual([201, 9_800]);
    const after = { available: before.available - 2, balance: before.balance - 9_800 };
    expect(await settled()).toEqual({ ...before, ...after });
    const { id, customer, sku, quantity, total } = body;
    expect(await stage.get('order', `/orders/${id}`)).toEqual({
      ...{ id, customer, sku, quantity, total },
    });

    const spans = stage.spansOf(body['transactionId'] as string);
    expect(tracesOf(spans)).toHaveLength(1);
    const requests = ['concordat request work', 'concordat request commit'];
    const rounds = SERVICES.flatMap((one) =>
      ['work', 'prepare', 'commit'].map((round) => `concordat ${round} at ${one}`),
    );
    expect(told(spans)).toEqual(new Set(['concordat transaction', ...requests, ...rounds]));
  });

  it.each([
    ['there is too little in stock', 'ada', 'table', 11, 'stock', 'OUT_OF_STOCK'],
    ['the customer cannot pay', 'bob', 'chair', 2, 'payment', 'PAYMENT_REFUSED'],
  ] as const)(
    'changes nothing anywhere where %s',
    async (_, customer, sku, quantity, participant, code) => {
      const before = await settled();
      const { status, body } = await stage.order(customer, sku, quantity);
      expect([status, body['cause']]).toEqual([
        409,
        expect.objectContaining({ participant, code }),
      ]);
      expect(await settled()).toEqual(before);
    },
  );

  it('is settled at the start of a payment service that was killed between vote and commit', async () => {
    const before = await settled();
    await stage.restartService('payment', 'commit.pre@payment=kill');
    const { status, body } = await stage.order('ada', 'chair', 1);
    expect(status).toBe(201);
    await stage.untilDead('payment');
    const inDoubt = (await stage.product.prepared()).map(({ database }) => database);
    expect(inDoubt).toContain('example_payment');
    await stage.startService('payment');
    const after = { available: before.available - 1, balance: before.balance - 4_900 };
    expect(await settled()).toEqual({ ...before, ...after });
    expect(await stage.get('order', `/orders/${body['id']}`)).toMatchObject({ quantity: 1 });
    const spans = stage.spansOf(body['transactionId'] as string);
    expect(tracesOf(spans)).toHaveLength(1);
    expect(told(spans)).toContain('concordat commit at payment');
  });

  it('is finished in the trace that it was begun in by a coordinator that takes it over', async () => {
    const { product } = stage;
    const before = await settled();
    await product.restart('coordinator', { crash: 'decide.post=kill' });
    const { status, body } = await stage.order('ada', 'chair', 1);
    expect(status).toBe(503); // In doubt: the answer to its commit was lost, and no coordinator is left.
    await product.startService('coordinator');
    const after = { available: before.available - 1, balance: before.balance - 4_900 };
    expect(await settled()).toEqual({ ...before, ...after });
    const spans = stage.spansOf(body['transactionId'] as string);
    const rounds = spans.filter(({ name }) => /concordat (prepare|commit)$/.test(name));
    expect(tracesOf(rounds)).toHaveLength(1);
    for (const one of SERVICES) expect(told(rounds)).toContain(`concordat commit at ${one}`);
  });

  it('links a later request that comes in a trace of its own to that of its transaction', async () => {
    const { product } = stage;
    const [first, second] = ['a', 'b'].map((digit) => digit.repeat(32));
    const within = (trace = '') => ({ traceparent: `00-${trace}-00f067aa0ba902b7-01` });
    const begun = async () => {
      const { body } = await product.request('POST', '/v1/transactions', {
        body: {},
        headers: within(first),
      });
      return String(body['transactionId']);
    };
    const [one, other] = [await begun(), await begun()];
    const asked = { body: {}, headers: within(second) };
    await product.request('POST', `/v1/transactions/${one}/commit`, asked);
    await product.request('POST', `/v1/transactions/${other}/rollback`, { body: {} });
    const ofRequest = (id: string) =>
      stage
        .spansOf(id)
        .filter(({ attributes }) => attributes['concordat.transaction'] === id)
        .map(({ name, traceId, links }) => ({ name, traceId, links }));
    expect(ofRequest(one)).toEqual([
      { name: 'concordat request commit', traceId: second, links: [first] },
    ]);
    expect(ofRequest(other)).toEqual([
      { name: 'concordat request rollback', traceId: first, links: [] },
    ]);
  });
});

const tracesOf = (spans: readonly Span[]) => [...new Set(spans.map(({ traceId }) => traceId))];

/** What spans are about, and of whom. */
function told(spans: readonly Span[]): Set<string> {
  const words = ({ name, attributes }: Span) => {
    const participant = attributes['concordat.participant'];
    return participant ? `${name} at ${participant}` : name;
  };
  return new Set(spans.map(words));
}
