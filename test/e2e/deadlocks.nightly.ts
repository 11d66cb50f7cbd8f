/**
 * How long cycles of waits across databases last: a hundred of them, one after another, owned by two
 * coordinators. From the request that closes the cycle to the answer that its transaction gave way.
 */
import { Product, type CoordinatorId } from '../stage/product.js';
import { EAST, WEST, begin, causeOf } from './waiting-clients.js';

const CYCLES = 100;
const MEDIAN_MS_MAX = 500;
const P99_MS_MAX = 1_000;

it(`of ${CYCLES} cycles half are over within ${MEDIAN_MS_MAX} ms, and 99 in 100 within ${P99_MS_MAX} ms`, async () => {
  const product = await Product.start();
  try {
    await product.startService('coordinator-2');
    await product.openAccounts(1_000_000);
    const took: number[] = [];
    for (let n = 0; n < CYCLES; n++) {
      const other: CoordinatorId = n % 2 === 0 ? 'coordinator' : 'coordinator-2';
      const older = await begin(product);
      const younger = await begin(product, other, older);
      await older.change(EAST, 'alice');
      await younger.change(WEST, 'bob');
      const waiting = older.change(WEST, 'bob');
      const lost = await younger.change(EAST, 'alice');
      expect(causeOf(lost)).toBe('DISTRIBUTED_DEADLOCK');
      expect(await waiting).toMatchObject({ status: 200 });
      expect((await older.commit()).body).toMatchObject({ decision: 'commit' });
      took.push(lost.tookMs);
    }
    took.sort((a, b) => a - b);
    const at = (share: number) => took[Math.ceil(share * CYCLES) - 1] as number;
    const figures = { median: at(0.5), p99: at(0.99), longest: at(1) };
    console.log(`cycles of waits lasted, in ms: ${JSON.stringify(figures)}`);
    expect(figures.median).toBeLessThan(MEDIAN_MS_MAX);
    expect(figures.p99).toBeLessThan(P99_MS_MAX);
  } finally {
    await product.dispose();
  }
}, 180_000);
