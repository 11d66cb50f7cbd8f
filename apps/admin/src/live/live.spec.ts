/** Stale is said, never guessed; and an event makes old only what it names. */
import { freshness, pollEveryMs } from './freshness.js';
import { staleAfter } from './stale-keys.js';

const HEARD = { paused: false, streamOpen: true, lastHeardMs: 0, failing: false };

describe('How fresh the page is', () => {
  it('is live only while a stream is open and requests are answered', () => {
    expect(freshness(HEARD, 1_000)).toBe('live');
    expect(freshness({ ...HEARD, failing: true }, 1_000)).toBe('stale');
    expect(freshness({ ...HEARD, streamOpen: false }, 1_000)).toBe('polling');
    expect(freshness({ ...HEARD, streamOpen: false }, 60_000)).toBe('stale');
    expect(freshness({ ...HEARD, failing: true, paused: true }, 60_000)).toBe('paused');
  });

  it('asks again by itself, more often without a stream, and never while paused', () => {
    expect(pollEveryMs('paused', 5_000)).toBe(false);
    expect(pollEveryMs('polling', 5_000)).toBe(5_000);
    expect(Number(pollEveryMs('live', 5_000))).toBeGreaterThan(5_000);
  });
});

describe('An event', () => {
  it('makes old the transaction it names and the lists it may be in', () => {
    const keys = staleAfter({ type: 'transaction', transactionId: 'a', status: 'committed' });
    expect(keys).toContainEqual(['transaction', 'a']);
    expect(keys).toContainEqual(['transactions-head']);
    expect(keys).not.toContainEqual(['transaction', 'b']);
  });

  it('makes everything old after a gap that cannot be filled', () => {
    expect(staleAfter({ type: 'reset' })).toEqual([[]]);
  });

  it('of a newer coordinator changes nothing', () => {
    expect(staleAfter(JSON.parse('{"type":"eclipse"}'))).toEqual([]);
  });
});
