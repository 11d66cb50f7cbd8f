/**
 * Every ORM's adapter as it would be published, in a service of somebody else that runs the program of the
 * ORM's page: each commits, aborts, and carries a decision out after it was killed.
 */
import { Product } from '../stage/product.js';
import { Host, packTarballs } from './stage/host.js';
import { ADAPTERS, LOAD_BOTH, ORMS, STOCK, ormHost, stockOf } from './stage/orm-host.js';
import { Rounds } from './stage/rounds.js';

const OURS = [
  ...['participant', 'channel', 'engine', 'protocol', 'words'].map((name) => `@concordat/${name}`),
  ...ADAPTERS,
];

/** Packages come over the network, and a busy machine takes its time to unpack them. */
const INSTALL_MS = 500_000;

let product: Product;
let host: Host;

beforeAll(async () => {
  const { tarballs, dispose } = await packTarballs();
  try {
    host = await Host.make(ormHost(), tarballs, OURS);
  } finally {
    dispose();
  }
  await host.bin('tsc', '-p', 'tsconfig.json');
  product = await Product.start({ participants: ['ledger-west'] });
  await Rounds.openBob(product);
}, INSTALL_MS);

afterAll(async () => {
  await host?.dispose();
  await product?.dispose();
});

it('has every adapter once, by require and by import', async () => {
  expect(JSON.parse(await host.run(process.execPath, ['-e', LOAD_BOTH]))).toEqual([]);
});

describe.each(ORMS)('%s from its tarball', (orm) => {
  const taking = stockOf(orm);
  let rounds: Rounds;

  beforeAll(async () => {
    const env = { ORM: orm, PARTICIPANT_NAME: taking.participant };
    rounds = await Rounds.open(product, `orm_${orm.replaceAll('-', '_')}`, env);
    await rounds.sql(STOCK);
    await host.start(rounds.env);
  });

  afterAll(async () => {
    await host?.stop();
    await rounds?.close();
  });

  it('commits a transaction', () => rounds.commit(taking));

  it('leaves nothing of one that aborts', () => rounds.abort(taking));

  it('carries a decision out after it was killed between its vote and the end', () =>
    rounds.kill(taking, host));
});
