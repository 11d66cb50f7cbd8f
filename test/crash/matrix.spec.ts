/** The smoke part of the crash matrix: a kill at every point. All cells run nightly. */
import { Product } from '../stage/product.js';
import { SMOKE, nameOf } from './cells.js';
import { runCell } from './run-cell.js';

describe('Whatever dies at', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start();
    await product.openAccounts(1_000_000);
    await product.untilNothingInDoubt();
  });

  afterEach(() => product.restore());

  afterAll(() => product.dispose());

  it.each(SMOKE.map((cell) => [nameOf(cell), cell] as const))(
    '%s, all promises are kept',
    async (_, cell) => {
      await runCell(product, cell);
    },
  );
});
