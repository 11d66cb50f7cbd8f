/**
 * Seeded bugs: of each statement, the first that it catches, and no statement is there that catches none. All of
 * them are searched for every night (`bugs.nightly.ts`).
 */
import { harm } from './bug.js';
import { BUGS, FIRST_BUGS } from './bugs.js';
import { NON_TRIVIALITY, TERMINATION } from './examine.js';
import { STATEMENTS } from './invariants.js';

/** Each takes seconds at most; on a machine that does much else, more. */
const PATIENCE_MS = 120_000;

describe('A bug in the protocol or in its host is caught:', () => {
  it.each(FIRST_BUGS.map((bug) => [bug.name, bug] as const))(
    '%s',
    (_name, bug) => {
      const broken = harm(bug);
      expect(broken?.statement).toBe(bug.caughtBy.name);
      expect(broken?.story.split('\n')).toHaveLength((broken?.steps ?? 0) + 1);
    },
    PATIENCE_MS,
  );

  it('and every statement catches exactly one of them', () => {
    const caught = FIRST_BUGS.map((bug) => bug.caughtBy.name).sort();
    const all = [...STATEMENTS, NON_TRIVIALITY, TERMINATION].map((one) => one.name);
    expect(caught).toEqual(all.sort());
  });

  it('and each has a name of its own', () => {
    expect(new Set(BUGS.map((one) => one.name)).size).toBe(BUGS.length);
  });
});
