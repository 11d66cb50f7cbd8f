/**
 * The smoke part of the crash matrix, and the matrix's own honesty: a point that is never hit fails
 * its cell, and a point that cannot be hit is refused before anything starts. All cells run nightly.
 */
import { jest } from '@jest/globals';
import { Product } from '../stage/product.js';
import { SMOKE, nameOf, type Cell } from './cells.js';
import { runCell } from './run-cell.js';

// Processes are started again and again here, on machines that are busy with other things.
jest.setTimeout(300_000);

describe('Any process that dies at', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({
      armable: true,
      env: { CONCORDAT_ONE_PHASE: 'enabled' },
    });
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

  it('fails a cell whose point is never hit, though all promises are kept', async () => {
    const never: Cell = {
      service: 'ledger-west',
      point: 'abort.pre',
      action: 'kill',
      story: 'commit',
    };
    await expect(runCell(product, never, { reachedMs: 2_000 })).rejects.toThrow(
      /ledger-west to say crash point abort\.pre/,
    );
  });

  it('refuses to arm what could never be hit', async () => {
    for (const [crash, words] of [
      ['claim.pre=kill', 'participant has no claim'],
      ['begin.post=drop', 'no reply to drop at begin.post'],
      ['commit.pre=drop', 'no reply to drop at commit.pre'],
      ['commit.pre=explode', 'not a crash point: commit.pre=explode'],
    ] as const) {
      expect(() => product.arm('ledger-west', crash)).toThrow(words);
    }
    const atStart = product.restart('ledger-west', { crash: 'claim.pre=kill' });
    await expect(atStart).rejects.toThrow('participant has no claim');
  });
});
