/** The images of docker-compose.yml, built by the steps of apps/Dockerfile and started as the file has it. */
import { ConcordatClient } from '@concordat/client';
import { makeSecrets } from './compose-file.js';
import { ComposedTopology } from './composed-topology.js';
import { Image } from './image.js';

/** Each build installs twice, over the network. */
const BUILD_MS = 900_000;

/** That of `inventory` differs from that of `ledger` in names only: it runs as it is built here. */
const APPS = ['coordinator', 'ledger'];

const secrets = makeSecrets();
const branch = (participant: string, name: string, input: object) => ({
  participant,
  operations: [{ name, input }],
});

describe('The images of docker-compose.yml', () => {
  const images = new Map<string, Image>();
  let topology: ComposedTopology;

  beforeAll(async () => {
    topology = await ComposedTopology.start(secrets);
    for (const app of APPS) {
      images.set(app, await Image.build(app));
    }
  }, BUILD_MS);

  afterAll(async () => {
    await topology?.dispose();
    for (const image of images.values()) image.dispose();
  });

  it('run with production dependencies only, and commit across the three participants', async () => {
    for (const name of ['coordinator', 'ledger-east', 'ledger-west', 'inventory']) {
      const app = topology.file.services[name]?.build?.args['APP'] ?? '';
      await topology.launch(name, { program: images.get(app)?.program });
    }
    const client = new ConcordatClient({
      url: topology.url('coordinator'),
      apiKey: secrets.clientKey,
    });
    const submit = async (...branches: ReturnType<typeof branch>[]) =>
      client.transactions.submit({ branches }, { until: 'completed' });
    await submit(branch('ledger-east', 'open', { account: 'alice', amount: 100 }));
    await submit(branch('ledger-west', 'open', { account: 'bob', amount: 100 }));
    await submit(branch('inventory', 'stock', { sku: 'lamp', quantity: 1 }));
    const done = await submit(
      branch('ledger-east', 'debit', { account: 'alice', amount: 10 }),
      branch('ledger-west', 'credit', { account: 'bob', amount: 10 }),
      branch('inventory', 'reserve', { sku: 'lamp', quantity: 1 }),
    );
    expect(done.status).toBe('committed');
  });

  it('serve the admin view', async () => {
    const page = await fetch(`${topology.url('coordinator')}/admin/`);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<script')]);
  });
});
