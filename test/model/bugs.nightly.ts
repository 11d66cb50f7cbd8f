/** The seeded bugs that `npm test` has no time for: those that a statement catches beside its first one. */
import { harm } from './bug.js';
import { BUGS, FIRST_BUGS } from './bugs.js';

const PATIENCE_MS = 120_000;

describe('A bug in the protocol or in its host is caught too:', () => {
  it.each(BUGS.filter((bug) => !FIRST_BUGS.includes(bug)).map((bug) => [bug.name, bug] as const))(
    '%s',
    (_name, bug) => {
      expect(harm(bug)?.statement).toBe(bug.caughtBy.name);
    },
    PATIENCE_MS,
  );
});
