/**
 * Chaos: the whole product under a bank's work while a nemesis kills, pauses and disconnects, and the
 * offline checker's verdict on what was seen. `npm run chaos` runs it for longer; see README.md.
 */
import type { Event } from './checker/history.js';
import { heldInHistory, holdsOnHotRows, holdsUnderChaos } from './run/held-under-chaos.js';
import { killsOf, planOf, SERVICES } from './run/plan.js';
import { returnsOf } from './run/returns.js';

const { CHAOS_SECONDS, CHAOS_SEED, CHAOS_KEEP, CHAOS_CHECK, CHAOS_HOT } = process.env;

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

describe('The nemesis of hot rows', () => {
  it('kills each coordinator, each ledger and the broker, one long after the other', () => {
    const { faults } = killsOf(7, 120_000);
    expect(new Set(faults.map(({ fault }) => fault.target)).size).toBe(5);
    faults.slice(1).forEach(({ atMs }, at) => {
      expect(atMs - (faults[at]?.atMs ?? 0)).toBeGreaterThanOrEqual(8_000);
    });
  });
});

describe('The return of throughput', () => {
  const at = (t: number, event: object): Event => ({ wall: t, t, ...event }) as unknown as Event;
  const transfersAt = (...times: number[]): Event[] =>
    times.flatMap((t, number) => {
      const attempt = `a/${t}/${number}`;
      return [at(t, { type: 'invoke', attempt, op: 'transfer' }), at(t, { type: 'ok', attempt })];
    });
  const kill = { type: 'fault', id: 1, fault: 'kill', target: 'coordinator' };
  const history = (...after: number[]): Event[] => [
    at(0, { type: 'phase', phase: 'chaos' }),
    ...transfersAt(100, 200, 300, 400, 1_100, 1_200, 1_300, 1_400),
    at(2_000, { ...kill, phase: 'inject' }),
    at(3_000, { ...kill, phase: 'recovered' }),
    ...transfersAt(...after),
  ];

  it('is when a second begins that has half of what was usual', () => {
    const { usual, returns } = returnsOf(history(4_000, 5_500, 5_600));
    expect(usual).toBe(4);
    expect(returns).toMatchObject([{ target: 'coordinator', afterMs: 2_500 }]);
  });

  it('never is where it does not come back', () => {
    expect(returnsOf(history(4_000, 6_000)).returns[0]?.afterMs).toBeUndefined();
  });
});

describe('Under chaos', () => {
  if (CHAOS_CHECK !== undefined) heldInHistory(CHAOS_CHECK);
  else {
    (CHAOS_HOT === undefined ? holdsUnderChaos : holdsOnHotRows)({
      seed: Number(CHAOS_SEED ?? 1),
      seconds: Number(CHAOS_SECONDS ?? 30),
      keep: CHAOS_KEEP !== undefined,
    });
  }
});
