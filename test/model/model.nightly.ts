/** The searches that `npm test` has no time for: everything that `npm run model -- --all` searches. */
import { examine, examineCalm } from './examine.js';
import { SCENARIOS, isCalm } from './scenarios.js';

const HOURS_MS = 4 * 3_600_000;

const larger = SCENARIOS.filter(({ size }) => size !== 'test').map(
  (named) => [named.name, named] as const,
);

describe('The shipped protocol keeps every statement in every reachable state of', () => {
  it.each(larger)(
    '%s',
    (_name, named) => {
      const { broken, complete } = examine(named);
      expect(broken?.story).toBeUndefined();
      expect(complete).toBe(true);
      if (isCalm(named)) expect(examineCalm(named).broken?.story).toBeUndefined();
    },
    HOURS_MS,
  );
});
