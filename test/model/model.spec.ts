/**
 * The shipped machines, searched: every reachable state of the small scenarios. The others run with
 * `npm run model`.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { compiled } from '../stage/compiled.js';
import type { Answer } from './examine.js';
import type { Scenario } from './scenario.js';
import { SCENARIOS, isCalm } from './scenarios.js';
import type { Asked, Counted } from './searcher.js';

/** Each takes seconds; on a machine that does much else, minutes. */
const PATIENCE_MS = 600_000;

const small = SCENARIOS.filter(({ size }) => size === 'test').map(
  (named) => [named.name, named] as const,
);

let searcher: ChildProcess;

beforeAll(async () => {
  searcher = fork(join(await compiled('model'), 'searcher.js'), { execArgv: [] });
}, PATIENCE_MS);

afterAll(async () => {
  if (searcher.exitCode !== null) return;
  searcher.disconnect();
  await once(searcher, 'exit');
});

/** What the searcher finds. Rejects when it ends instead. */
async function ask<Found = Answer>(asked: Asked): Promise<Found> {
  const gone = new AbortController();
  const { signal } = gone;
  try {
    const ended = once(searcher, 'exit', { signal }).then(([code, killed]) => {
      throw new Error(
        `the searcher ended (${String(killed ?? code)}) with ${JSON.stringify(asked)}`,
      );
    });
    searcher.send(asked);
    const [found] = (await Promise.race([once(searcher, 'message', { signal }), ended])) as [Found];
    return found;
  } finally {
    gone.abort();
  }
}

describe('The shipped protocol keeps every statement in every reachable state of', () => {
  it.each(small)(
    '%s',
    async (name) => {
      const { broken, complete } = await ask({ every: name });
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
    async (name) => {
      expect((await ask({ calm: name })).broken?.story).toBeUndefined();
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
    async (_name, choice) => {
      const { reduced, stoodFor, all } = await ask<Counted>({ counted: choice });
      expect(stoodFor).toBe(all);
      expect(reduced).toBeLessThan(all);
    },
    PATIENCE_MS,
  );
});
