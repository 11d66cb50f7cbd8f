/**
 * The services of `npm run example`: an order (TypeORM), stock (Drizzle) and payment (Prisma), which are under
 * `examples/` and in one transaction. The order service begins it, as a client with a key of its own.
 */
import { StartRefused } from '../start-refused.js';
import { exampleMain } from './places.js';
import { databaseOf, type Topology } from './topology.js';

const FIRST = { customer: 'ada', sku: 'chair', quantity: 2 };

export const EXAMPLE: Topology = {
  title: 'Concordat example: an order, stock and payment in one transaction',
  databases: ['example_order', 'example_stock', 'example_payment'],
  ports: ['order', 'stock', 'payment'],

  participants({ ports }, servers, keys) {
    const service = (name: 'order' | 'stock' | 'payment', more: Record<string, string> = {}) => ({
      name,
      main: exampleMain(name),
      port: ports[name],
      env: {
        DATABASE_URL: databaseOf(servers, `example_${name}`),
        NATS_URL: servers.natsUrl,
        PORT: String(ports[name]),
        ...more,
      },
    });
    const client = {
      CONCORDAT_URL: `http://127.0.0.1:${ports.coordinator}`,
      CONCORDAT_API_KEY: keys.apiKey,
    };
    return [service('order', client), service('stock'), service('payment')];
  },

  async first(_client, { ports }, progress) {
    const placed = await progress.step(
      'One order',
      () => order(ports.order),
      ({ transactionId }) => `committed in transaction ${transactionId}`,
    );
    progress.say();
    progress.say(`  order ${placed.id}: ${placed.quantity} × ${placed.sku} for ${placed.total}`);
  },

  hints: ({ ports: { order, stock, payment } }) => [
    '  Order something; ask for 11 tables, or as bob for 2 chairs, and nothing is changed anywhere:',
    '',
    `  curl -s http://127.0.0.1:${order}/orders -H 'Content-Type: application/json' -d '${JSON.stringify(FIRST)}'`,
    `  curl -s http://127.0.0.1:${stock}/stock/chair http://127.0.0.1:${payment}/accounts/ada`,
    '',
  ],
};

interface Placed {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly total: number;
  readonly transactionId: string;
}

async function order(port: number): Promise<Placed> {
  const response = await fetch(`http://127.0.0.1:${port}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(FIRST),
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Placed;
  throw new StartRefused(
    `the first order was refused: ${response.status} ${text}`,
    'where ada has spent it all, remove .concordat, which has the data, and start again',
  );
}
