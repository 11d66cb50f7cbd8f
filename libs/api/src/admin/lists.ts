/** What is asked of the lists of the admin API. */
import { z } from 'zod';
import { LABEL_LENGTH_MAX, ParticipantNameField } from '../begin.js';
import { STATUSES } from '../status.js';

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

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const AGE_FORMS = 'an age such as 30s, 5m, 2h, 1d, or milliseconds';

/** An age in a query, as milliseconds. */
const Age = z
  .string()
  .meta({ description: AGE_FORMS, example: '5m' })
  .transform((text, context) => {
    const match = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(text.trim());
    if (match) return Number(match[1]) * UNIT_MS[(match[2] ?? 'ms') as keyof typeof UNIT_MS];
    context.addIssue({ code: 'custom', message: `must be ${AGE_FORMS}` });
    return z.NEVER;
  });

export const View = z.enum(VIEWS, { error: `must be one of ${VIEWS.join(', ')}` });

export const listFields = {
  view: View.optional(),
  status: z.enum(STATUSES, { error: `must be one of ${STATUSES.join(', ')}` }).optional(),
  participant: ParticipantNameField.optional(),
  label: z.string().min(1, 'must not be empty').max(LABEL_LENGTH_MAX).optional(),
  principal: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be the id of a key')
    .optional(),
  olderThan: Age.optional(),
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
