/**
 * Deadlines: one timer for any number of waiting requests. Requests are kept in buckets of a few
 * milliseconds; a request that is answered leaves its bucket, and the timer runs only while anything
 * waits. A deadline may be late by one bucket, never early: a time-out proves nothing anyway.
 */
import type { Clock } from '@concordat/engine';

const BUCKET_MS = 16;

export class Deadlines<T> {
  private readonly buckets = new Map<number, Set<T>>();
  private passed = 0;
  private cancelTick: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly due: (item: T) => void,
  ) {}

  /** Adds an item that is due after `ms`; the result removes it again with {@link remove}. */
  add(item: T, ms: number): number {
    const now = this.clock.now();
    const bucket = Math.floor((now + ms) / BUCKET_MS) + 1;
    const waiting = this.buckets.get(bucket);
    if (waiting) waiting.add(item);
    else this.buckets.set(bucket, new Set([item]));
    if (!this.cancelTick) {
      this.passed = Math.floor(now / BUCKET_MS);
      this.schedule();
    }
    return bucket;
  }

  remove(item: T, bucket: number): void {
    const waiting = this.buckets.get(bucket);
    if (waiting?.delete(item) && waiting.size === 0) this.buckets.delete(bucket);
  }

  private schedule(): void {
    this.cancelTick = this.clock.after(BUCKET_MS, () => this.tick());
  }

  private tick(): void {
    this.cancelTick = undefined;
    const present = Math.floor(this.clock.now() / BUCKET_MS);
    const elapsed = present - this.passed;
    // A process that slept has more ticks behind it than buckets: then look at the buckets instead.
    const over =
      elapsed > this.buckets.size
        ? [...this.buckets.keys()].filter((bucket) => bucket <= present)
        : Array.from({ length: elapsed }, (_, i) => this.passed + 1 + i);
    this.passed = present;
    for (const bucket of over) {
      const waiting = this.buckets.get(bucket);
      if (!waiting) continue;
      this.buckets.delete(bucket);
      for (const item of waiting) this.due(item);
    }
    if (this.buckets.size > 0 && !this.cancelTick) this.schedule();
  }
}
