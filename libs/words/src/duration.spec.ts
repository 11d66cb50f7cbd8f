/** Durations as people write them. */
import { parseDurationMs } from './duration.js';

describe('A duration', () => {
  it.each([
    ['20', 20_000],
    ['20s', 20_000],
    ['0', 0],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['0.25', 250],
    ['2m', 120_000],
    [' 7s ', 7_000],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each([
    '',
    'soon',
    '-1',
    '+1',
    '1h',
    '1 s',
    '1e3',
    '0x10',
    '1.',
    '.5',
    '12345678',
    'NaN',
    '１',
  ])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});
