/** S1, S2, S4, S7, S33, S41: a coordinator dies, sleeps, or is cut off, between two frames. */
import { itHolds, onStage } from '../cases/run.js';
import { ONE_COORDINATOR, TWO_COORDINATORS } from './coordinator.cases.js';

const PARTICIPANTS = ['ledger-east', 'ledger-west', 'inventory'] as const;

onStage('When a coordinator fails', { participants: PARTICIPANTS }, (stage) => {
  itHolds(stage, ONE_COORDINATOR);

  describe('Of two coordinators, one that was stopped', () => {
    beforeAll(() => stage().product.startService('coordinator-2'));

    afterAll(() => stage().product.remove('coordinator-2'));

    itHolds(stage, TWO_COORDINATORS);
  });
});
