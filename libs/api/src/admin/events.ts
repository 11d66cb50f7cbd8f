/** What changed, as `GET /v1/admin/events` tells it. */
import { z } from 'zod';
import { Status } from '../status.js';

/** After a gap that cannot be filled comes `reset`: everything is to be asked for again. */
export const AdminEvent = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('transaction'), transactionId: z.string(), status: Status }),
    z.object({ type: z.literal('participants') }),
    z.object({ type: z.literal('overview') }),
    z.object({ type: z.literal('orphans') }),
    z.object({ type: z.literal('operation'), operationId: z.string() }),
    z.object({ type: z.literal('audit') }),
    z.object({ type: z.literal('reset') }),
  ])
  .meta({
    id: 'AdminEvent',
    description:
      'what changed, to be asked for again; `reset`: a gap that cannot be filled, so everything',
  });
export type AdminEvent = z.infer<typeof AdminEvent>;
