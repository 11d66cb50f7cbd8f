/** Durations as people write and read them. */
import fc from 'fast-check';
import { durationText, parseDurationMs, shortDurationText } from './duration.js';

describe('A duration', () => {
  it.each([
    ['20', 20_000],
    ['20s', 20_000],
    ['0', 0],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['0.25', 250],
    ['2m', 120_000],
    ['2min', 120_000],
    ['1h', 3_600_000],
    ['14d', 1_209_600_000],
    [' 7s ', 7_000],
    ['1 s', 1_000],
    ['12 min 4 s', 724_000],
    ['2d4h', 187_200_000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it('without a unit counts what the name of its place says', () => {
    expect(parseDurationMs('1500', 'ms')).toBe(1_500);
    expect(parseDurationMs('1500s', 'ms')).toBe(1_500_000);
  });

  it.each([
    '',
    'soon',
    '-1',
    '+1',
    '1w',
    '1e3',
    '0x10',
    '1.',
    '.5',
    'NaN',
    '１',
    's',
    '4s 1h',
    '1h 1h',
    '1h2',
    '1h  2m',
    '999999999999d',
  ])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });

  it.each([
    [-5, '0 ms'],
    [38.4, '38 ms'],
    [1_000, '1 s'],
    [4_260, '4.2 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [724_000, '12 min 4 s'],
    [3_600_000, '1 h'],
    [12_000_000, '3 h 20 min'],
    [187_200_000, '2 d 4 h'],
    [172_800_999, '2 d'],
  ])('of %d ms is told as %s', (ms, words) => {
    expect(durationText(ms)).toBe(words);
  });

  it.each([
    [900, '900 ms'],
    [4_260, '4 s'],
    [42_900, '42 s'],
    [7_500_000, '2 h'],
    [200_000_000, '2 d'],
  ])('of %d ms is told in a narrow place as %s', (ms, words) => {
    expect(shortDurationText(ms)).toBe(words);
  });

  it('is read back as it was told, in any place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (ms) => {
        for (const told of [durationText(ms), shortDurationText(ms)]) {
          const read = parseDurationMs(told) ?? Number.NaN;
          expect(read).toBeLessThanOrEqual(ms);
          expect([durationText(read), shortDurationText(read)]).toContain(told);
          expect(parseDurationMs(told, 'ms')).toBe(read);
        }
      }),
    );
  });
});
