/** What an action needs before it is carried out, and what its request says of it. */
import { z } from 'zod';

export const AdminRole = z.enum(['viewer', 'operator', 'force']).meta({
  id: 'AdminRole',
  description:
    'what a key may do: look; act by the rules; act against them, where the site enables it',
});
export type AdminRole = z.infer<typeof AdminRole>;

export const Needs = z
  .object({
    role: AdminRole,
    reason: z.boolean(),
    ticket: z.boolean(),
    confirm: z.string().optional().meta({ description: 'exactly what must be typed' }),
  })
  .meta({ id: 'ActionNeeds', description: 'what an action needs before it is carried out' });
export type Needs = z.infer<typeof Needs>;

const REASON_LENGTH_MAX = 500;

/** Text for people: no control characters, no halves of surrogate pairs. */
export const words = (lengthMax: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(lengthMax, `must have at most ${lengthMax} characters`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters');

export const reasonFields = {
  reason: words(REASON_LENGTH_MAX).optional(),
  ticket: words(200).optional().meta({ description: 'where the matter is written down' }),
  confirm: z.string().max(200).optional().meta({ description: 'what had to be typed' }),
};
