/** How long a request waits, and for which of the two moments. */
import { DURATION_FORMS, parseDurationMs } from '@concordat/words';
import { z } from 'zod';

/** A duration in a query, as milliseconds. */
export const Duration = z
  .string()
  .meta({ description: DURATION_FORMS, example: '20s' })
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
