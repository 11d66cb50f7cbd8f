/** What lists of transactions are filtered by, at clients and at operators. */
import { z } from 'zod';
import { LABEL_LENGTH_MAX, ParticipantNameField, text } from './begin.js';
import { STATUSES } from './status.js';
import { Duration } from './wait.js';

export const filterFields = {
  status: z.enum(STATUSES, { error: `must be one of ${STATUSES.join(', ')}` }).optional(),
  participant: ParticipantNameField.optional(),
  label: text(LABEL_LENGTH_MAX).optional(),
  principal: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be the id of a key')
    .optional(),
  olderThan: Duration.optional(),
};
