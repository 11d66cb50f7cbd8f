/** Moments that callers wait for, and the waiting: it ends with its moment or with its time. */
import type { LiveTransaction } from './live-transaction.js';
import type { Clock } from './ports/index.js';
import type { Moment } from './transaction-options.js';

/** A named moment, or any change after a version. */
export type Until = Moment | { readonly versionAbove: number };

/** Whether what is waited for is so. */
export function holds(live: LiveTransaction, until: Until): boolean {
  // One that ended without a decision that any process knows will not be decided any more.
  if (until === 'decided') return live.isDecided() || live.isCompleted();
  if (until === 'completed') return live.isCompleted();
  return live.version > until.versionAbove;
}

/** Resolves once `until` holds, or after `waitMs` milliseconds; at once when there is nothing to wait for. */
export function untilHolds(
  clock: Clock,
  live: LiveTransaction,
  until: Until,
  waitMs: number,
): Promise<void> {
  if (holds(live, until) || waitMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.after(waitMs, finish);
    const unsubscribe = live.subscribe(() => {
      if (holds(live, until)) finish();
    });
  });
}
