/** What four clients on rows of their own get while a crowd waits for one row at the same participants. */
import { COMPARED, fourBeside, type Beside } from '../bench/contention/beside-a-crowd.js';
import { openAccounts } from '../bench/contention/contention.js';
import { openStage, type Stage } from '../bench/stage.js';

const TURN_MS = 4_000;
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
      const usual = await fourBeside(stage, compared, TURN_MS);
      const beside = await fourBeside(stage, crowd, TURN_MS);
      expect(usual.committed).toBeGreaterThan(0);
      expect(beside.aborted).toEqual({});
      expect(beside.committedPerSecond).toBeGreaterThanOrEqual(
        SHARE_MIN * usual.committedPerSecond,
      );
    },
  );
});
