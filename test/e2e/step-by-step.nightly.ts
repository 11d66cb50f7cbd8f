/**
 * Transactions step by step, every call at another of three coordinators: a hundred of a hundred; and under
 * fifty of them a second each coordinator is killed, and each is stopped in good order and started again.
 */
import { Product } from '../stage/product.js';
import { COORDINATORS, StepByStep } from './step-by-step.js';

const PER_SECOND = 50;
/** So many transactions of each coordinator end before something is done to the next. */
const BETWEEN = 50;

describe('Step by step through three coordinators', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ env: { CONCORDAT_IDLE_LEASE_MS: '3000' } });
    await product.startService('coordinator-2');
    await product.startService('coordinator-3');
    await StepByStep.open(product);
  });

  afterAll(() => product.dispose());

  it('a hundred of a hundred commit', async () => {
    const steps = await StepByStep.over(product);
    await steps.times(100);
    const wrong = await steps.wrong();
    const others = steps.told.filter(({ end }) => end !== 'committed');
    expect({ wrong, others }).toEqual({ wrong: [], others: [] });
    expect(steps.told).toHaveLength(100);
  });

  it('while each is killed and each restarted, one retry fixes every request, and every answer is true', async () => {
    const steps = await StepByStep.over(product);
    let isOver = false;
    const load = steps.load(PER_SECOND, () => isOver);
    const disturb = async (): Promise<void> => {
      for (const id of COORDINATORS) {
        await steps.untilAllServe(BETWEEN);
        await product.kill(id);
        await product.startService(id);
      }
      for (const id of COORDINATORS) {
        await steps.untilAllServe(BETWEEN);
        await product.restart(id);
      }
      await steps.untilAllServe(BETWEEN);
    };
    const failed = await disturb().catch(String);
    isOver = true;
    await load;
    const ends = (end: string) => steps.told.filter((one) => one.end === end);
    console.log(
      `${steps.told.length} begun, ${ends('committed').length} committed, ${ends('aborted').length} aborted`,
    );
    // Asked first: what was answered is compared also where a request failed.
    const wrong = await steps.wrong();
    expect({ wrong, unmended: ends('unmended'), failed }).toEqual({ wrong: [], unmended: [] });
    expect(ends('committed').length).toBeGreaterThan(10 * PER_SECOND);
  }, 300_000);
});
