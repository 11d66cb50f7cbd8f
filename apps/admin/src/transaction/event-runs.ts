/**
 * Long runs of repeats among the events. Guards "ten thousand attempts fit on a page": what was sent again
 * and not answered is one line with its number and its times; each can still be looked at.
 */
import type { TimelineEvent } from '@concordat/client';
import { isAttempt } from './lanes.js';

/** Repeats fewer than these are shown one by one. */
export const RUN_MIN = 6;

export type Entry =
  | { readonly kind: 'event'; readonly event: TimelineEvent }
  | { readonly kind: 'run'; readonly events: readonly TimelineEvent[] };

export function withRuns(events: readonly TimelineEvent[]): Entry[] {
  const entries: Entry[] = [];
  let run: TimelineEvent[] = [];
  const close = (): void => {
    if (run.length >= RUN_MIN) entries.push({ kind: 'run', events: run });
    else entries.push(...run.map((event) => ({ kind: 'event' as const, event })));
    run = [];
  };
  for (const event of events) {
    if (isAttempt(event)) {
      run.push(event);
      continue;
    }
    close();
    entries.push({ kind: 'event', event });
  }
  close();
  return entries;
}

/** `retry × 96, no answer × 95`, the most frequent first. */
export function runWords(events: readonly TimelineEvent[]): string {
  const counts = new Map<string, number>();
  for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([type, times]) => `${type} × ${times}`)
    .join(', ');
}
