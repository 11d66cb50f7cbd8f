/** The caller, and what this coordinator allows: the first thing the admin view asks for. */
import { z } from 'zod';
import { AdminRole } from './needs.js';

export const SignIn = z
  .strictObject({ key: z.string().min(1, 'must not be empty').max(500, 'is no key of ours') })
  .meta({ id: 'SignIn' });
export type SignIn = z.infer<typeof SignIn>;

export const AdminSessionResource = z
  .object({
    principal: z.string().meta({ description: 'id of the key' }),
    role: AdminRole,
    forceEnabled: z.boolean().meta({ description: 'whether force is enabled here at all' }),
    clusterId: z.string(),
    incarnation: z.string(),
    version: z.string(),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'AdminSession' });
export type AdminSessionResource = z.infer<typeof AdminSessionResource>;
