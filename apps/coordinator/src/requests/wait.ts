/**
 * How long a request waits, and for which of the two moments. Guards protocol §4.5: `decided` and
 * `completed` are named, the wait is bounded, and after the bound the client gets the place to look at rather
 * than a failure. `?wait=` and `?until=` win over `Prefer: wait=`.
 */
import type { Moment } from '@concordat/engine';
import type { WaitQuery } from '@concordat/api';

export interface WaitBounds {
  readonly waitMsDefault: number;
  readonly waitMsMax: number;
}

export interface Wait {
  readonly until: Moment;
  readonly waitMs: number;
  /** What to say in `Preference-Applied`, when a preference was honoured. */
  readonly applied?: string;
}

/** The wait of a request that begins or finishes a transaction. A longer one than allowed is cut. */
export function waitOf(query: WaitQuery, prefer: string | undefined, bounds: WaitBounds): Wait {
  const until = query.until ?? 'decided';
  const preferredMs = preferredWaitMs(prefer);
  const askedMs = query.wait ?? preferredMs ?? bounds.waitMsDefault;
  const waitMs = Math.min(askedMs, bounds.waitMsMax);
  const honoured = query.wait === undefined && preferredMs !== undefined;
  return { until, waitMs, ...(honoured ? { applied: `wait=${Math.round(waitMs / 1_000)}` } : {}) };
}

/** Milliseconds of `Prefer: wait=10` (RFC 7240 §4.3); `respond-async` waits for nothing. */
export function preferredWaitMs(prefer: string | undefined): number | undefined {
  for (const preference of (prefer ?? '').split(',')) {
    const [token = '', value = ''] = preference.trim().split('=');
    const name = token.trim().toLowerCase();
    if (name === 'respond-async') return 0;
    const seconds = value.trim().replace(/^"(.*)"$/, '$1');
    if (name === 'wait' && /^\d{1,6}$/.test(seconds)) return Number(seconds) * 1_000;
  }
  return undefined;
}
