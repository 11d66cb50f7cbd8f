/**
 * Transactions that wait for each other in different databases, where no database sees a cycle: each is
 * found and broken within a moment, at its youngest, by whatever coordinators own them; who waits for a
 * row that somebody else holds waits on.
 */
import { connect } from '@nats-io/transport-node';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Product, transferBody, type CoordinatorId } from '../stage/product.js';
import { EAST, TIMEOUT_MS, WEST, backwards, begin, causeOf, timed } from './waiting-clients.js';

/** Far longer than it takes, far shorter than anything else that would end it. */
const SOON_MS = 10_000;

describe('Transactions that wait for each other', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start();
    await product.startService('coordinator-2');
    await product.openAccounts(1_000_000);
    const operations = [{ name: 'open', input: { account: 'carol', amount: 1_000_000 } }];
    const branches = [{ participant: EAST, operations }];
    await product.client().transactions.submit({ branches }, { until: 'completed' });
  });

  afterAll(() => product.dispose());

  it('step by step at two coordinators: the younger gives way at once, and says why', async () => {
    const older = await begin(product);
    const younger = await begin(product, 'coordinator-2', older);
    await older.change(EAST, 'alice');
    await younger.change(WEST, 'bob');
    const waiting = older.change(WEST, 'bob');
    const lost = await younger.change(EAST, 'alice');
    expect(lost.status).toBe(409);
    expect(lost.body).toMatchObject({ retryable: true });
    expect(causeOf(lost)).toBe('DISTRIBUTED_DEADLOCK');
    const { waits } = lost.body['cause']?.['details'] ?? {};
    expect(waits).toEqual([
      expect.objectContaining({
        ...{ transaction: younger.id, participant: EAST, heldBy: older.id, relation: 'account' },
      }),
      expect.objectContaining({ transaction: older.id, participant: WEST, heldBy: younger.id }),
    ]);
    expect(await waiting).toMatchObject({ status: 200 });
    expect(lost.tookMs).toBeLessThan(SOON_MS);
    expect((await older.commit()).body).toMatchObject({ decision: 'commit' });
    await product.untilAllEnded();
  });

  it('three of them, of two coordinators: one gives way, and the others go on', async () => {
    const first = await begin(product);
    const second = await begin(product, 'coordinator-2', first);
    const third = await begin(product, 'coordinator', second);
    await first.change(EAST, 'alice');
    await second.change(WEST, 'bob');
    await third.change(EAST, 'carol');
    const waits = [first.change(WEST, 'bob'), second.change(EAST, 'carol')];
    const lost = await third.change(EAST, 'alice');
    expect(causeOf(lost)).toBe('DISTRIBUTED_DEADLOCK');
    expect(lost.tookMs).toBeLessThan(SOON_MS);
    expect(await waits[1]).toMatchObject({ status: 200 });
    expect((await second.commit()).body).toMatchObject({ decision: 'commit' });
    expect(await waits[0]).toMatchObject({ status: 200 });
    expect((await first.commit()).body).toMatchObject({ decision: 'commit' });
    await product.untilAllEnded();
  });

  it('in one call each, and many at once: no one waits for its time to be over', async () => {
    const before = await product.balances();
    const bodies = Array.from({ length: 12 }, (_, n) =>
      n % 2 === 0 ? transferBody(1, { timeoutMs: TIMEOUT_MS }) : backwards(),
    );
    const ends = await Promise.all(
      bodies.map(async (body, n) => {
        const at: CoordinatorId = n % 4 < 2 ? 'coordinator' : 'coordinator-2';
        return timed(product.request('POST', '/v1/transactions?until=completed', { body, at }));
      }),
    );
    const committed = ends.filter(({ status }) => status === 200).length;
    const victims = ends.filter((one) => causeOf(one) === 'DISTRIBUTED_DEADLOCK').length;
    expect(committed + victims).toBe(ends.length);
    expect(committed).toBeGreaterThan(0);
    expect(Math.max(...ends.map(({ tookMs }) => tookMs))).toBeLessThan(TIMEOUT_MS / 2);
    await product.untilAllEnded();
    const { alice, bob } = await product.balances();
    expect(alice + bob).toBe(before.alice + before.bob);
  });

  it('cost no message while nobody waits', async () => {
    const heard: string[] = [];
    const nats = await connect({ servers: product.stack.nats.url });
    nats.subscribe(`concordat.${await product.cluster()}.v1.coord.>`, {
      callback: (_error, { subject }) => {
        if (/waits/.test(subject)) heard.push(subject);
      },
    });
    await nats.flush();
    const path = '/v1/transactions?until=completed';
    for (let n = 0; n < 20; n++) {
      expect((await product.request('POST', path, { body: transferBody(1) })).status).toBe(200);
    }
    await nats.close();
    expect(heard).toEqual([]);
  });

  it('who waits for a row that no transaction of ours holds waits on, and is counted', async () => {
    const { ledger_west: connectionString } = product.stack.databases;
    const holder = new pg.Client({ connectionString, application_name: 'month end' });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM account WHERE id = 'bob' FOR UPDATE`);
    const body = transferBody(1, { timeoutMs: TIMEOUT_MS });
    const answer = product.request('POST', '/v1/transactions', { body });
    const metric = async (name: string) => {
      const response = await fetch(`${product.coordinatorUrl}/metrics`, {
        headers: { authorization: `Bearer ${product.viewerKey}` },
      });
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await response.text())?.[1]);
    };
    const broken = await metric('concordat_deadlocks_broken_total');
    await waitFor(async () => (await metric('concordat_waiting_branches')) === 1, {
      what: 'the wait to be counted',
    });
    await holder.end();
    expect(await answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
    await waitFor(async () => (await metric('concordat_waiting_branches')) === 0, {
      what: 'the wait to be taken back',
    });
    expect(await metric('concordat_deadlocks_broken_total')).toBe(broken);
  });
});
