/** How long a request waits. */
import { preferredWaitMs, waitOf } from './wait.js';

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
