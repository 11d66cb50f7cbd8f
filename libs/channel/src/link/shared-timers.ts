/**
 * Timers of a process that serves many requests at once: long ones that are due within the same few
 * milliseconds share one timer of Node's, since nearly all of them are cancelled. A timer may be late by
 * that much, never early: a time that is over proves nothing anyway. Tasks run outside of the async context
 * of the code that set them, so no request's trace reaches another's work.
 */
import { Clock } from '@concordat/engine';
import { AsyncResource } from 'node:async_hooks';

/** Timers that are due within one such slice share a timer. */
export const SLICE_MS = 16;
/** Shorter ones are somebody's next step rather than a bound on it, and have a timer of their own. */
export const SHARED_FROM_MS = 250;

interface Entry {
  readonly task: () => void;
}

interface Slice {
  readonly entries: Set<Entry>;
  readonly cancel: () => void;
}

export class SharedTimersClock extends Clock {
  /** By the number of the slice at whose end they are due. */
  private readonly slices = new Map<number, Slice>();
  private readonly outside = new AsyncResource('concordat:shared-timers');

  constructor(private readonly own: Clock) {
    super();
  }

  override now(): number {
    return this.own.now();
  }

  override wallNow(): number {
    return this.own.wallNow();
  }

  override after(ms: number, task: () => void): () => void {
    if (!(ms >= SHARED_FROM_MS)) return this.own.after(ms, task);
    const now = this.own.now();
    const number = Math.ceil((now + ms) / SLICE_MS);
    const slice = this.slices.get(number) ?? this.open(number, now);
    const entry = { task };
    slice.entries.add(entry);
    return () => {
      if (!slice.entries.delete(entry) || slice.entries.size > 0) return;
      if (this.slices.get(number) !== slice) return;
      this.slices.delete(number);
      slice.cancel();
    };
  }

  private open(number: number, now: number): Slice {
    const entries = new Set<Entry>();
    const due = (): void => {
      this.slices.delete(number);
      this.run(slice);
    };
    const cancel = this.outside.runInAsyncScope(() => this.own.after(number * SLICE_MS - now, due));
    const slice: Slice = { entries, cancel };
    this.slices.set(number, slice);
    return slice;
  }

  private run(slice: Slice): void {
    for (const entry of slice.entries) {
      slice.entries.delete(entry);
      let isDone = false;
      try {
        entry.task();
        isDone = true;
      } finally {
        // Its error is as uncaught as from a timer of its own; the others run all the same.
        if (!isDone && slice.entries.size > 0) this.own.after(0, () => this.run(slice));
      }
    }
  }
}
