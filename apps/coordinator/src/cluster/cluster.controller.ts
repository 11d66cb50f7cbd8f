/**
 * Which cluster this is and which coordinator answers. Guards nothing: it is what a participant's
 * operator needs to configure a cluster id manually, and what tools show.
 */
import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../platform/described.js';
import { ClusterResource, ProblemResource } from '@concordat/api';
import { Identity } from '../platform/identity.js';

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
