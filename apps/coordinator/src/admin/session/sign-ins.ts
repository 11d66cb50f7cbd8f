/**
 * Failed sign-ins, counted by address. Guards against trying keys: after ten unknown ones within a
 * minute, further unknown ones of that address are not looked at until the minute is over. A key that is
 * known is never turned away: others may come from the same address, and keys are too long to be guessed.
 * Memory is bounded: the oldest address is forgotten first.
 */
import { durationText } from '@concordat/words';
import { Problem } from '../../problems/problem.js';

const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
const ADDRESSES_MAX = 10_000;

interface Failures {
  readonly sinceMs: number;
  count: number;
}

export class SignIns {
  private readonly failures = new Map<string, Failures>();

  constructor(private readonly now: () => number) {}

  /** Counts a key that is not known. Throws the problem of an address that has tried too many. */
  failed(address: string): void {
    const known = this.failures.get(address);
    const leftMs = known ? known.sinceMs + WINDOW_MS - this.now() : 0;
    if (known && leftMs > 0) {
      if (known.count >= FAILURES_MAX) throw tooMany(leftMs);
      known.count += 1;
      return;
    }
    this.failures.delete(address); // In the order of their windows.
    const [oldest] = this.failures.keys();
    if (this.failures.size >= ADDRESSES_MAX && oldest !== undefined) {
      this.failures.delete(oldest);
    }
    this.failures.set(address, { sinceMs: this.now(), count: 1 });
  }
}

function tooMany(leftMs: number): Problem {
  return new Problem(
    'too-many-sign-ins',
    `${FAILURES_MAX} keys that are not known were tried from this address, and this one is not known either. Check it, and try again in ${durationText(leftMs)}; a key that is known is let in at any time.`,
    { retryAfterMs: leftMs },
  );
}
