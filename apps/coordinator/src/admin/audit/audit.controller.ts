/** `GET /v1/admin/audit`: who did what, newest first, with whether the chain holds. */
import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '../../platform/described.js';
import { AuditPageResource, AuditQuery, ProblemResource } from '@concordat/api';
import { AuditTrail } from '@concordat/decision-log';
import type { ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { Identity } from '../../platform/identity.js';
import { answered } from '../../problems/answered.js';
import { auditResource } from './audit-resource.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/audit')
export class AuditController {
  constructor(
    private readonly audit: AuditTrail,
    private readonly identity: Identity,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'adminAudit', summary: 'The audit, newest first' })
  @ApiResponse({ status: 200, standardSchema: AuditPageResource, description: 'a page' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Query({ schema: AuditQuery }) { transactionId, by, limit, cursor }: AuditQuery,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AuditPageResource> {
    response.setHeader('Cache-Control', 'no-store');
    const page = await answered(this.audit.page({ transaction: transactionId, by, limit, cursor }));
    return {
      entries: page.entries.map(auditResource),
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
      chainIntact: page.chainIntact,
      serverTime: new Date(this.identity.clock.wallNow()).toISOString(),
    };
  }
}
