/**
 * The shipped machines, searched: every reachable state of the small scenarios. The others run with
 * `npm run model`.
 */
import { examine, examineCalm } from './examine.js';
import { Model } from './model.js';
import { CALM, type Scenario } from './scenario.js';
import { SCENARIOS, isCalm } from './scenarios.js';
import { search } from './search.js';

/** Each takes seconds; on a machine that does much else, minutes. */
const PATIENCE_MS = 300_000;

const small = SCENARIOS.filter(({ size }) => size === 'test').map(
  (named) => [named.name, named] as const,
);

describe('The shipped protocol keeps every statement in every reachable state of', () => {
  it.each(small)(
    '%s',
    (_name, named) => {
      const { broken, complete } = examine(named);
      expect(broken?.story).toBeUndefined();
      expect(complete).toBe(true);
    },
    PATIENCE_MS,
  );
});

describe('With no fault and no refusal the outcome is commit, however hasty the timers, in', () => {
  const calm = small.filter(([, named]) => isCalm(named) && named.scenario.participants === 2);

  it.each(calm)(
    '%s',
    (_name, named) => {
      expect(examineCalm(named).broken?.story).toBeUndefined();
    },
    PATIENCE_MS,
  );
});

describe('Taking states that differ in names only for one', () => {
  const scenarios: [string, Partial<Scenario>][] = [
    ['2 participants', { votes: ['prepared', 'read-only', 'no'] }],
    ['2 participants and a crash', { faults: { 'coordinator crash': 1 } }],
    ['2 participants and a manual change', { faults: { manual: 1 } }],
  ];

  it.each(scenarios)(
    'loses none of the states of %s',
    (_name, choice) => {
      const reduced = new Model({ ...CALM, ...choice });
      const found = search(reduced);
      let stoodFor = 0;
      for (let i = 0; i < found.distinct; i++) stoodFor += reduced.orbit(found.store.at(i));
      const all = search(new Model({ ...CALM, ...choice, symmetric: false }));
      expect(stoodFor).toBe(all.distinct);
      expect(found.distinct).toBeLessThan(all.distinct);
    },
    PATIENCE_MS,
  );
});
