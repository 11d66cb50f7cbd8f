/** Every setting that two-phase commit depends on, as it was examined. */
import { z } from 'zod';
import { CheckResource } from './participant.js';

export const AdminDoctorResource = z
  .object({ checks: z.array(CheckResource), serverTime: z.iso.datetime() })
  .meta({ id: 'AdminDoctor' });
export type AdminDoctorResource = z.infer<typeof AdminDoctorResource>;
