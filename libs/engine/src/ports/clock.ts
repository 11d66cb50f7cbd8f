/**
 * Time as the engine may know it. Guards "safety never depends on a clock": durations come from a
 * monotonic counter, wall time is for people only, and timers only ever trigger an attempt.
 */
export abstract class Clock {
  /** Milliseconds of a monotonic counter with an arbitrary start. */
  abstract now(): number;
  /**
   * Unix milliseconds, for display, history and the time-ordered part of ids. Compared only with ids, to
   * prune and to refuse those of the far future; no safety rule depends on it.
   */
  abstract wallNow(): number;
  /** Calls `task` once after `ms` milliseconds; the result cancels it and may be called repeatedly. */
  abstract after(ms: number, task: () => void): () => void;
}
