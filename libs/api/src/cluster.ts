/** Which cluster this is, and which coordinator answers. */
import { z } from 'zod';

export const ClusterResource = z
  .object({
    clusterId: z.string().meta({ description: 'scopes every gid and every NATS subject' }),
    incarnation: z.string().meta({ description: 'this coordinator, from its start to its end' }),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'ClusterState' });
export type ClusterResource = z.infer<typeof ClusterResource>;
