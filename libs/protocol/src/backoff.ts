/**
 * Backoff: how long to wait before the next attempt. Capped exponential with full jitter (Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). It decides when, never whether:
 * nothing here gives up.
 */

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
}

export const FINISH_BACKOFF: BackoffOptions = { baseMs: 50, capMs: 10_000 };

/** Milliseconds to wait after the `attempt`-th try (1, 2, …); `unit` is random in [0, 1). */
export function backoffMs(attempt: number, unit: number, options = FINISH_BACKOFF): number {
  const exponent = Math.min(Math.max(attempt, 1) - 1, 30);
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** exponent);
  return Math.round(ceiling / 2 + (ceiling / 2) * unit);
}
