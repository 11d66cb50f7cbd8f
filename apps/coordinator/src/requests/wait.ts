/**
 * How long a request waits, and for which of the two moments. Guards protocol §4.5: `decided` and
 * `completed` are named, the wait is bounded, and after the bound the client gets the place to look at rather
 * than a failure. `?wait=` and `?until=` win over `Prefer: wait=`.
 */
import type { Moment } from '@concordat/engine';
import { z } from 'zod';
import { DURATION_FORMS, parseDurationMs } from '@concordat/words';

/** A duration in a query, as milliseconds. */
export const Duration = z
  .string()
  .meta({ description: `${DURATION_FORMS}`, example: '20s' })
  .transform((text, context) => {
    const ms = parseDurationMs(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: `must be ${DURATION_FORMS}` });
    return z.NEVER;
  });

export const Until = z
  .enum(['decided', 'completed'], { error: 'must be "decided" or "completed"' })
  .meta({ description: 'the moment to wait for' });

/** Query of every request that may wait for a transaction. */
export const WaitQuery = z.strictObject({ wait: Duration.optional(), until: Until.optional() });
export type WaitQuery = z.infer<typeof WaitQuery>;

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
