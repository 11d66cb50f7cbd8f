/** What is asked of the lists of the admin API. */
import { z } from 'zod';
import { filterFields } from '../filters.js';

export const VIEWS = [
  'stuck',
  'in-doubt',
  'deciding',
  'heuristic',
  'recent-aborts',
  'all',
] as const;
export const SORTS = ['harm', 'newest', 'oldest'] as const;
export const ADMIN_LIMIT_DEFAULT = 50;
export const ADMIN_LIMIT_MAX = 500;

export const View = z.enum(VIEWS, { error: `must be one of ${VIEWS.join(', ')}` });

export const listFields = {
  view: View.optional(),
  ...filterFields,
  q: z
    .string()
    .regex(/^[0-9A-Za-z-]{1,35}$/, 'must be a transaction id or the beginning of one')
    .transform((text) => text.toLowerCase())
    .optional(),
};

/** A whole number as a query writes it. */
export const WHOLE = /^\d{1,6}$/;

export const limitField = (max: number, preset: number) =>
  z
    .string()
    .regex(WHOLE, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(1, 'must be at least 1').max(max, `must be at most ${max}`))
    .default(preset);

/** A cursor remembers what was shown ahead of its place, so it may be long. */
export const cursorField = z.string().max(6_000, 'is not a cursor of ours').optional();

export const AdminListQuery = z.strictObject({
  ...listFields,
  sort: z.enum(SORTS, { error: `must be one of ${SORTS.join(', ')}` }).optional(),
  limit: limitField(ADMIN_LIMIT_MAX, ADMIN_LIMIT_DEFAULT),
  cursor: cursorField,
});
export type AdminListQuery = z.infer<typeof AdminListQuery>;
