/**
 * What four clients on rows of their own get while a crowd waits for one row at the same participants,
 * against what they get beside as many clients that wait for nothing. Both in turns, so that a machine that
 * changes its mind does so for both.
 */
import { COMPARED, fourBeside, type Beside } from '../bench/contention/beside-a-crowd.js';
import { openAccounts } from '../bench/contention/contention.js';
import { openStage, type Stage } from '../bench/stage.js';

const ROUNDS = 3;
const TURN_MS = 3_000;
/** Of what they get beside as many clients that wait for nothing. */
const SHARE_MIN = 0.7;

describe('Four clients on rows of their own', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage(undefined, ['ledger-north']);
    await openAccounts(stage);
  }, 120_000);

  afterAll(() => stage?.dispose());

  it.each(Object.entries(COMPARED) as [Beside, Beside][])(
    'get beside %s at least seven tenths of what they get beside %s',
    async (crowd, compared) => {
      const rates = { usual: 0, beside: 0 };
      await fourBeside(stage, compared, TURN_MS); // Warm.
      for (let round = 0; round < ROUNDS; round++) {
        const usual = await fourBeside(stage, compared, TURN_MS);
        const beside = await fourBeside(stage, crowd, TURN_MS);
        expect(beside.aborted).toEqual({});
        rates.usual += usual.committedPerSecond / ROUNDS;
        rates.beside += beside.committedPerSecond / ROUNDS;
      }
      console.log(`beside ${crowd}, against ${compared}: ${JSON.stringify(rates)}`);
      expect(rates.usual).toBeGreaterThan(0);
      expect(rates.beside).toBeGreaterThanOrEqual(SHARE_MIN * rates.usual);
    },
    120_000,
  );
});
