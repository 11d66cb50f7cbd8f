/**
 * Which cluster this is and which coordinator answers. Guards nothing: it is what a participant's
 * operator needs to configure a cluster id manually, and what tools show.
 */
import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ProblemResource } from '../transactions/transaction.schema.js';
import { Identity } from '../platform/identity.js';

const ClusterResource = z
  .object({
    clusterId: z.string().meta({ description: 'scopes every gid and every NATS subject' }),
    incarnation: z.string().meta({ description: 'this coordinator, from its start to its end' }),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'Cluster' });
type ClusterResource = z.infer<typeof ClusterResource>;

@ApiTags('inspection')
@ApiBearerAuth()
@Controller('v1/cluster')
export class ClusterController {
  constructor(private readonly identity: Identity) {}

  @Get()
  @ApiOperation({ operationId: 'getCluster', summary: 'Which cluster this is' })
  @ApiResponse({ status: 200, standardSchema: ClusterResource, description: 'its ids' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  get(): ClusterResource {
    const { cluster, incarnation, clock } = this.identity;
    return {
      clusterId: cluster,
      incarnation,
      serverTime: new Date(clock.wallNow()).toISOString(),
    };
  }
}
