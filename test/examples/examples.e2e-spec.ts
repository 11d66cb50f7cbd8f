/** The example of `examples/`: an order (TypeORM), stock (Drizzle) and payment (Prisma) in one transaction. */
import { ExamplesOnStage, SERVICES } from './stage.js';

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
    expect(spans).toContainEqual({ name: 'concordat transaction', participant: undefined });
    for (const participant of SERVICES) {
      for (const round of ['work', 'prepare', 'commit']) {
        expect(spans).toContainEqual({ name: `concordat ${round}`, participant });
      }
    }
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
  });
});
