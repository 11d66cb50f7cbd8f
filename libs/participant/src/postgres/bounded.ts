/**
 * A wait with an end. Guards the field's ninth rule: what is not answered in time is in doubt, and the
 * waiting side discards its connection.
 */
import type { Clock } from '@concordat/engine';

export type Bounded<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'timeout' };

/** Waits for a promise, at most `ms`; never rejects, so a late answer cannot go unhandled. */
export function bounded<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<Bounded<T>> {
  return new Promise((resolve) => {
    const cancel = clock.after(Math.max(0, ms), () => resolve({ kind: 'timeout' }));
    promise.then(
      (value) => {
        cancel();
        resolve({ kind: 'value', value });
      },
      (error: unknown) => {
        cancel();
        resolve({ kind: 'error', error });
      },
    );
  });
}
