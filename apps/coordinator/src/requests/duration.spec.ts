/** Durations in addresses and headers, and the wait they make. */
import { parseDurationMs } from './duration.js';
import { preferredWaitMs, waitOf } from './wait.js';

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

describe('The wait of a request', () => {
  const bounds = { waitMsDefault: 10_000, waitMsMax: 60_000 };

  it('is the default for the decided moment when nothing is said', () => {
    expect(waitOf({}, undefined, bounds)).toEqual({ until: 'decided', waitMs: 10_000 });
  });

  it('follows a preference, and says that it did', () => {
    expect(waitOf({}, 'wait=3', bounds)).toEqual({
      until: 'decided',
      waitMs: 3_000,
      applied: 'wait=3',
    });
  });

  it('follows the address before the preference', () => {
    expect(waitOf({ wait: 500, until: 'completed' }, 'wait=3', bounds)).toEqual({
      until: 'completed',
      waitMs: 500,
    });
  });

  it('is cut at the limit, and the cut is what is said to be applied', () => {
    expect(waitOf({ wait: 3_600_000 }, undefined, bounds).waitMs).toBe(60_000);
    expect(waitOf({}, 'wait=3600', bounds)).toMatchObject({ waitMs: 60_000, applied: 'wait=60' });
  });

  it.each([
    ['wait=10', 10_000],
    ['return=minimal, wait=10', 10_000],
    ['WAIT = "10"', 10_000],
    ['respond-async', 0],
    ['wait=-1', undefined],
    ['wait=soon', undefined],
    ['waiting=5', undefined],
    ['', undefined],
  ])('reads the preference %j', (header, ms) => {
    expect(preferredWaitMs(header)).toBe(ms);
  });
});
