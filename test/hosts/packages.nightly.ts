/**
 * The packages as they would be published, in a service that somebody has: Nest 11 as CommonJS with
 * TypeORM 0.3 and without `@nestjs/microservices`, which follows docs/adapters.md step by step. All other
 * kinds of services: hosts.nightly.ts.
 */
import { Product } from '../stage/product.js';
import { Host, packTarballs } from './stage/host.js';
import { nest11 } from './stage/kinds.js';
import { MAIN_WAYS, compileIn, loadBoth } from './stage/resolutions.js';
import { Rounds, SHOP } from './stage/rounds.js';

const OURS = ['participant', 'channel', 'engine', 'protocol', 'words', 'client'].map(
  (name) => `@concordat/${name}`,
);
const ENTRIES = [
  '@concordat/participant/standalone',
  '@concordat/participant',
  '@concordat/client',
  '@concordat/channel',
  '@concordat/engine',
  '@concordat/protocol',
  '@concordat/words',
];

/** Packages come over the network, and a busy machine takes its time to unpack them. */
const INSTALL_MS = 400_000;

describe('A Nest 11 service that follows the page', () => {
  let product: Product;
  let rounds: Rounds;
  let host: Host;

  beforeAll(async () => {
    const packed = packTarballs();
    const [stage, made] = await Promise.allSettled([
      Product.start({ participants: ['ledger-west'] }),
      packed.then(({ tarballs }) => Host.make(nest11(false), tarballs, OURS)),
    ]);
    // Each is ended, also when the other did not come about.
    if (stage.status === 'fulfilled') product = stage.value;
    if (made.status === 'fulfilled') host = made.value;
    (await packed).dispose();
    for (const one of [stage, made]) if (one.status === 'rejected') throw one.reason;
    await host.bin('tsc', '-p', 'tsconfig.json');
    rounds = await Rounds.open(product, 'shop');
    await Rounds.openBob(product);
    await host.start(rounds.env);
  }, INSTALL_MS);

  afterAll(async () => {
    await host?.dispose();
    await rounds?.close();
    await product?.dispose();
  });

  it('answers as it did before', async () => {
    const body = JSON.stringify({ id: 'alice', balance: 1_000 });
    const headers = { 'content-type': 'application/json' };
    const opened = await fetch(`${host.url}/accounts`, { method: 'POST', body, headers });
    expect([opened.status, await opened.json()]).toEqual([201, { id: 'alice', balance: 1_000 }]);
  });

  it('commits a transaction', () => rounds.commit(SHOP));

  it('leaves nothing of one that aborts', () => rounds.abort(SHOP));

  it('carries a decision out after it was killed between its vote and the end', () =>
    rounds.kill(SHOP, host));

  it('finds the types of the packages also by the moduleResolution of older services', () =>
    compileIn(MAIN_WAYS, host));

  it.each(['import', 'require'] as const)(
    'has each class, symbol and registry once, also when it loads both builds, first by %s',
    async (first) => {
      const said = await host.run(process.execPath, ['-e', loadBoth(ENTRIES, first)]);
      expect(JSON.parse(said)).toEqual({ seen: ENTRIES.map(() => true), differ: [] });
    },
  );
});
