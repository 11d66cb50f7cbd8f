/** `GET /v1/admin/overview`: the first page of the admin view. */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../../platform/described.js';
import type { ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { AdminOverviewResource, ProblemResource } from '@concordat/api';
import { answered } from '../../problems/answered.js';
import { Overview } from './overview.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/overview')
export class OverviewController {
  constructor(private readonly overview: Overview) {}

  @Get()
  @ApiOperation({ operationId: 'adminOverview', summary: 'What waits, and what it holds up' })
  @ApiResponse({ status: 200, standardSchema: AdminOverviewResource, description: 'now' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async show(@Res({ passthrough: true }) response: ServerResponse): Promise<AdminOverviewResource> {
    response.setHeader('Cache-Control', 'no-store');
    return answered(this.overview.now());
  }
}
