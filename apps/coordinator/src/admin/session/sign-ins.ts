/**
 * Failed sign-ins, counted by address. Guards against trying keys: after ten unknown ones within a
 * minute an address is turned away, also with a key that is known, until the minute is over. Memory is
 * bounded: the oldest address is forgotten first.
 */
import { Problem } from '../../problems/problem.js';

const FAILURES_MAX = 10;
const WINDOW_MS = 60_000;
const ADDRESSES_MAX = 10_000;

interface Failures {
  readonly sinceMs: number;
  count: number;
}

export class SignIns {
  readonly #failures = new Map<string, Failures>();

  constructor(private readonly now: () => number) {}

  /** Throws the problem of an address that has failed too often. */
  assertAllowed(address: string): void {
    const failed = this.#failures.get(address);
    if (!failed) return;
    const leftMs = failed.sinceMs + WINDOW_MS - this.now();
    if (leftMs <= 0) this.#failures.delete(address);
    else if (failed.count >= FAILURES_MAX) {
      throw new Problem(
        'too-many-sign-ins',
        `${FAILURES_MAX} keys that are not known were tried from this address. Try again in ${Math.ceil(leftMs / 1_000)} s.`,
        { retryAfterMs: leftMs },
      );
    }
  }

  failed(address: string): void {
    const known = this.#failures.get(address);
    if (known) {
      known.count += 1;
      return;
    }
    const [oldest] = this.#failures.keys();
    if (this.#failures.size >= ADDRESSES_MAX && oldest !== undefined) {
      this.#failures.delete(oldest);
    }
    this.#failures.set(address, { sinceMs: this.now(), count: 1 });
  }
}
