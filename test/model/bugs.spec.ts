/** Seeded bugs: the search catches every one, and no statement is there that catches none. */
import { harm } from './bug.js';
import { BUGS } from './bugs.js';
import { NON_TRIVIALITY, TERMINATION } from './examine.js';
import { STATEMENTS } from './invariants.js';

/** Each takes a second at most; on a machine that does much else, more. */
const PATIENCE_MS = 120_000;

describe('A bug in the protocol or in its host is caught:', () => {
  it.each(BUGS.map((bug) => [bug.name, bug] as const))(
    '%s',
    (_name, bug) => {
      const broken = harm(bug);
      expect(broken?.statement).toBe(bug.caughtBy.name);
      expect(broken?.story.split('\n')).toHaveLength((broken?.steps ?? 0) + 1);
    },
    PATIENCE_MS,
  );

  it('and every statement catches at least one of them', () => {
    const caught = new Set(BUGS.map((bug) => bug.caughtBy.name));
    const all = [...STATEMENTS, NON_TRIVIALITY, TERMINATION].map((one) => one.name);
    expect(all.filter((name) => !caught.has(name))).toEqual([]);
  });
});
