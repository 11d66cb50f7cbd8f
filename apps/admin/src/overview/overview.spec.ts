/** The overview's sentence, and the outline of its chart. */
import type { AdminOverview } from '@concordat/client';
import { atLeast } from '../wording/known.js';
import { areaPath } from './area.js';
import { verdict } from './verdict.js';

function overview(more: Partial<AdminOverview>): AdminOverview {
  const nothing = { stuck: 0, heuristic: 0, orphans: 0, blockedSessions: 0 };
  return { ...nothing, notSeen: [], notCompared: [], ...more } as unknown as AdminOverview;
}

describe('The overview', () => {
  it('says in one sentence whether anything needs attention', () => {
    expect(verdict(overview({}))).toBe('Nothing needs attention.');
    expect(verdict(overview({ stuck: 1204, heuristic: 2, orphans: 3, blockedSessions: 41 }))).toBe(
      '1\u202f204 stuck, 2 of them heuristic, 3 orphaned, and 41 database sessions wait.',
    );
  });

  it('does not say "nothing" of what could not be looked at', () => {
    expect(verdict(overview({ notSeen: ['payments'] }))).toBe(
      'Nothing needs attention, as far as is known. What is prepared at payments is not known.',
    );
    expect(verdict(overview({ stuck: 2, notCompared: ['a', 'b', 'c', 'd'] }))).toBe(
      '2 stuck. What is prepared at a, b and 2 more is not known.',
    );
    expect(verdict(overview({ orphans: undefined }))).toMatch(/not been looked for yet\.$/);
    expect(verdict(overview({ stuck: undefined }))).toMatch(/^The register does not answer/);
  });

  it('takes a number of some for a lower bound, and zero of some for nothing known', () => {
    expect([
      atLeast(0, false),
      atLeast(0, true),
      atLeast(3, true),
      atLeast(undefined, false),
    ]).toEqual(['0', 'not known', '3 or more', 'not known']);
  });

  it('draws a series from its first to its last value', () => {
    expect(areaPath([0, 10, 5], 10, 100, 50).line).toBe('M0 50L50 0L100 25');
    expect(areaPath([], 10, 100, 50).area).toBe('');
    expect(areaPath([3], 0, 100, 50).line).toBe('M0 50');
  });
});
