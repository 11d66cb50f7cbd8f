/** Instants and numbers as people say them. */
import { count, countdown, instant, plural, rate } from './format.js';

describe('Words for numbers', () => {
  it.each([
    [500, 'now'],
    [-4_000, 'now'],
    [42_900, '0:42'],
    [724_000, '12:04'],
    [3_723_000, '1:02:03'],
  ])('count %d ms down as %s', (ms, words) => {
    expect(countdown(ms)).toBe(words);
  });

  it('leave out the date of today, and say UTC when it is', () => {
    const at = '2026-11-21T12:03:04.056Z';
    const nowMs = Date.parse('2026-11-21T23:00:00Z');
    expect(instant(at, { zone: 'utc', nowMs })).toBe('12:03:04 UTC');
    expect(instant(at, { zone: 'utc', nowMs, withMs: true })).toBe('12:03:04.056 UTC');
    expect(instant(at, { zone: 'utc' })).toBe('2026-11-21 12:03:04 UTC');
    expect(instant(at, { zone: 'local' })).not.toContain('UTC');
    expect(instant('no time', { zone: 'utc' })).toBe('no time');
  });

  it('group digits so that a thousand does not look like a fraction', () => {
    expect(count(1_204)).toBe('1\u202f204');
    expect(count(999)).toBe('999');
    expect(plural(1, 'branch', 'branches')).toBe('1 branch');
    expect(plural(10_000, 'row')).toBe('10\u202f000 rows');
    expect([rate(0), rate(0.44), rate(212.4)]).toEqual(['0', '0.4', '212']);
  });
});
