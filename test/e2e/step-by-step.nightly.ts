/**
 * Transactions step by step, every call at another of three coordinators: a hundred of a hundred; and under
 * fifty of them a second each coordinator is killed, and each is stopped in good order and started again.
 */
import { Product } from '../stage/product.js';
import { COORDINATORS, StepByStep } from './step-by-step.js';

const PER_SECOND = 50;
/** Between two coordinators: the one that came back has its share of open transactions again. */
const BETWEEN_MS = 5_000;

describe('Step by step through three coordinators', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ env: { CONCORDAT_IDLE_LEASE_MS: '3000' } });
    await product.startService('coordinator-2');
    await product.startService('coordinator-3');
    await StepByStep.open(product);
  });

  afterAll(() => product.dispose());

  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it('a hundred of a hundred commit', async () => {
    const steps = await StepByStep.over(product);
    await steps.times(100);
    expect(steps.told.filter(({ end }) => end !== 'committed')).toEqual([]);
    expect(steps.told).toHaveLength(100);
    expect(await steps.wrong()).toEqual([]);
  });

  it('while each is killed and each restarted, one retry mends every request, and every answer is true', async () => {
    const steps = await StepByStep.over(product);
    let isOver = false;
    const load = steps.load(PER_SECOND, () => isOver);
    for (const id of COORDINATORS) {
      await pause(BETWEEN_MS);
      await product.kill(id);
      await product.startService(id);
    }
    for (const id of COORDINATORS) {
      await pause(BETWEEN_MS);
      await product.restart(id);
    }
    await pause(BETWEEN_MS);
    isOver = true;
    await load;
    const ends = (end: string) => steps.told.filter((one) => one.end === end);
    console.log(
      `${steps.told.length} begun, ${ends('committed').length} committed, ${ends('aborted').length} aborted`,
    );
    expect(ends('unmended')).toEqual([]);
    expect(ends('committed').length).toBeGreaterThan(10 * PER_SECOND);
    expect(await steps.wrong()).toEqual([]);
  }, 300_000);
});
