/** Half an hour of chaos, from another seed every day; `npm run chaos -- --seed N` takes it again. */
import { holdsOnHotRows, holdsUnderChaos } from './run/held-under-chaos.js';

const DAY_MS = 86_400_000;

describe('Under chaos for half an hour', () => {
  holdsUnderChaos({ seed: Math.floor(Date.now() / DAY_MS), seconds: 1_800, keep: true });
});

describe('On two hot rows for five minutes', () => {
  holdsOnHotRows({ seed: Math.floor(Date.now() / DAY_MS), seconds: 300, keep: true });
});
