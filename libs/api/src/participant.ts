/** Participants as the REST API shows them. */
import { z } from 'zod';

export const ParticipantResource = z
  .object({
    participant: z.string().meta({ example: 'ledger-east' }),
    instances: z
      .array(
        z.object({
          instance: z.string(),
          version: z.string(),
          report: z.record(z.string(), z.unknown()).meta({
            description: 'what the instance says of itself: in-doubt counts, slots and more',
          }),
        }),
      )
      .meta({ description: 'one for each process that answered' }),
  })
  .meta({ id: 'ParticipantState' });
export type ParticipantResource = z.infer<typeof ParticipantResource>;

export const ParticipantList = z
  .object({
    participants: z.array(ParticipantResource),
    silent: z
      .array(z.object({ participant: z.string(), lastSeenAt: z.iso.datetime().optional() }))
      .meta({
        description: 'have answered before and do not answer now: nothing is known of them',
      }),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'ParticipantList' });
