/** Queries of the routes that look, and the page they answer with. Every bound is explicit. */
import { z } from 'zod';
import { Duration, Until } from './wait.js';
import { filterFields } from './filters.js';
import { TransactionResource } from './transaction.js';

export const LIST_LIMIT_DEFAULT = 50;
export const LIST_LIMIT_MAX = 200;

/** A whole number within bounds, as a query writes it. */
const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const flag = z
  .enum(['true', 'false'], { error: 'must be "true" or "false"' })
  .transform((text) => text === 'true');

export const LookQuery = z
  .strictObject({
    wait: Duration.optional(),
    until: Until.optional(),
    sinceVersion: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  })
  .check(({ value, issues }) => {
    const refuse = (path: string, message: string) =>
      issues.push({ code: 'custom', input: value, path: [path], message });
    if (value.until !== undefined && value.sinceVersion !== undefined) {
      refuse('sinceVersion', 'cannot be combined with until: name one thing to wait for');
    }
    if (value.wait !== undefined) return;
    if (value.until !== undefined) refuse('until', 'needs wait: say how long to wait');
    if (value.sinceVersion !== undefined)
      refuse('sinceVersion', 'needs wait: say how long to wait');
  });
export type LookQuery = z.infer<typeof LookQuery>;

export const ListQuery = z.strictObject({
  ...filterFields,
  principal: filterFields.principal.meta({
    description: 'viewers and above; a client sees its own',
  }),
  olderThan: filterFields.olderThan.meta({ description: 'begun longer ago than this' }),
  stuck: flag.optional().meta({
    description: 'in need of attention: undelivered commits, overdue, unresolved heuristics',
  }),
  limit: whole(1, LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
  cursor: z.string().max(500, 'is not a cursor of ours').optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

export const TransactionPage = z
  .object({
    transactions: z.array(TransactionResource),
    nextCursor: z.string().optional().meta({ description: 'absent on the last page' }),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'TransactionPage' });
