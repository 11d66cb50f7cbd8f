/** The overview's sentence, and the outline of its chart. */
import type { AdminOverview } from '@concordat/client';
import { areaPath } from './area.js';
import { verdict } from './verdict.js';

function overview(more: Partial<AdminOverview>): AdminOverview {
  return { stuck: 0, heuristic: 0, orphans: 0, blockedSessions: 0, ...more } as AdminOverview;
}

describe('The overview', () => {
  it('says in one sentence whether anything needs anybody', () => {
    expect(verdict(overview({}))).toBe('Nothing needs anybody.');
    expect(verdict(overview({ stuck: 1204, heuristic: 2, orphans: 3, blockedSessions: 41 }))).toBe(
      '1\u202f204 stuck, 2 of them heuristic, 3 orphaned, and 41 database sessions wait.',
    );
  });

  it('draws a series from its first to its last value', () => {
    expect(areaPath([0, 10, 5], 10, 100, 50).line).toBe('M0 50L50 0L100 25');
    expect(areaPath([], 10, 100, 50).area).toBe('');
    expect(areaPath([3], 0, 100, 50).line).toBe('M0 50');
  });
});
