/**
 * The packages as they would be published, in services of every kind that is promised: three generations
 * of Nest with the test runner that each brings, and plain Node in strict TypeScript. Each commits, aborts,
 * and carries a decision out after it was killed.
 */
import { Product } from '../stage/product.js';
import { Host, packTarballs, type HostKind, type Tarballs } from './stage/host.js';
import { NEST_10, NEST_12, nest11, plainNode } from './stage/kinds.js';
import { ALL_WAYS, compileIn } from './stage/resolutions.js';
import { NOTES, Rounds, SHOP, type Taking } from './stage/rounds.js';

const OURS = ['participant', 'channel', 'engine', 'protocol', 'words', 'client', 'testing'].map(
  (name) => `@concordat/${name}`,
);

interface Case {
  readonly kind: HostKind;
  readonly taking: Taking;
  /** The runner of the service's own tests, as its package.json would call it. */
  readonly runner?: readonly [program: string, ...args: string[]];
  readonly ways?: typeof ALL_WAYS;
}

/** Packages come over the network, and a busy machine takes its time to unpack them. */
const INSTALL_MS = 400_000;

const CASES: readonly Case[] = [
  { kind: NEST_10, taking: SHOP, runner: ['jest'] },
  { kind: nest11(true), taking: SHOP, runner: ['jest'], ways: ALL_WAYS },
  { kind: NEST_12, taking: SHOP, runner: ['vitest', 'run'] },
  { kind: plainNode(true), taking: NOTES },
  { kind: plainNode(false), taking: NOTES },
];

let tarballs: Tarballs;
let discard: () => void = () => undefined;
let product: Product;

beforeAll(async () => {
  ({ tarballs, dispose: discard } = await packTarballs());
  product = await Product.start({ participants: ['ledger-west'] });
  await Rounds.openBob(product);
});

afterAll(async () => {
  await product?.dispose();
  discard();
});

describe.each(CASES.map((one) => [one.kind.name, one] as const))('A host %s', (name, one) => {
  const { kind, taking, runner, ways } = one;
  let rounds: Rounds;
  let host: Host;

  beforeAll(async () => {
    host = await Host.make(kind, tarballs, OURS);
    await host.bin('tsc', '-p', 'tsconfig.json');
    rounds = await Rounds.open(product, name.replaceAll('-', '_'));
    if (taking === NOTES) await rounds.sql('CREATE TABLE note (id text PRIMARY KEY, text text)');
    await host.start(rounds.env);
    if (taking === SHOP) await rounds.sql(`INSERT INTO account VALUES ('alice', 1000)`);
  }, INSTALL_MS);

  afterAll(async () => {
    await host?.dispose();
    await rounds?.close();
  });

  it('commits a transaction', () => rounds.commit(taking));

  it('leaves nothing of one that aborts', () => rounds.abort(taking));

  it('carries a decision out after it was killed between its vote and the end', () =>
    rounds.kill(taking, host));

  if (ways) {
    it('finds the types of the packages, with any moduleResolution', () => compileIn(ways, host));
  }

  if (runner) {
    it('runs its own tests of an operation, with nothing configured', async () => {
      const [program, ...args] = runner;
      await expect(host.bin(program, ...args)).resolves.toEqual(expect.any(String));
    });
  }
});
