/**
 * Chaos: the whole product under a bank's work while a nemesis kills, pauses and disconnects, and the
 * offline checker's verdict on what was seen. `npm run chaos` runs it for longer; see README.md.
 */
import { heldInHistory, holdsUnderChaos } from './run/held-under-chaos.js';
import { planOf, SERVICES } from './run/plan.js';

const { CHAOS_SECONDS, CHAOS_SEED, CHAOS_KEEP, CHAOS_CHECK } = process.env;

describe('The nemesis', () => {
  it('plans the same for the same seed', () => {
    expect(planOf(7, 60_000)).toEqual(planOf(7, 60_000));
    expect(planOf(8, 60_000).faults).not.toEqual(planOf(7, 60_000).faults);
  });

  it('plans every kind of fault and every process, for any seed', () => {
    for (let any = 1; any <= 200; any++) {
      const { faults } = planOf(any, 60_000);
      const kinds = new Set(faults.map(({ fault }) => fault.kind));
      expect(kinds.size).toBe(7);
      for (const service of SERVICES) {
        const met = faults.filter(({ fault }) => fault.target === service);
        expect(met.map(({ fault }) => fault.kind)).toEqual(
          expect.arrayContaining(['kill', 'pause']),
        );
      }
    }
  });
});

describe('Under chaos', () => {
  if (CHAOS_CHECK !== undefined) heldInHistory(CHAOS_CHECK);
  else {
    holdsUnderChaos({
      seed: Number(CHAOS_SEED ?? 1),
      seconds: Number(CHAOS_SECONDS ?? 60),
      keep: CHAOS_KEEP !== undefined,
    });
  }
});
