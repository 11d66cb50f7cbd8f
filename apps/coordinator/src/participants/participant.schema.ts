/** Participants as the REST API shows them. */
import { z } from 'zod';

export const ParticipantResource = z
  .object({
    participant: z.string().meta({ example: 'ledger-east' }),
    instances: z.array(
      z.object({
        instance: z.string(),
        version: z.string(),
        report: z
          .record(z.string(), z.unknown())
          .meta({ description: 'what the instance says of itself: in-doubt counts, slots, …' }),
      }),
    ),
  })
  .meta({ id: 'Participant' });
export type ParticipantResource = z.infer<typeof ParticipantResource>;

export const ParticipantList = z
  .object({ participants: z.array(ParticipantResource), serverTime: z.iso.datetime() })
  .meta({ id: 'ParticipantList' });
