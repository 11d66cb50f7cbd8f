/** `GET /v1/admin/audit`: who did what, newest first, with whether the chain holds. */
import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AuditTrail } from '@concordat/decision-log';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { AdminRoute } from '../../access/access.decorators.js';
import { ProblemResource } from '../../transactions/transaction.schema.js';
import { Identity } from '../../platform/identity.js';
import { answered } from '../transactions/admin-lists.js';
import { cursorField, limitField } from '../transactions/admin-transaction.schema.js';
import { auditResource } from './audit-resource.js';
import { AUDIT_LIMIT_DEFAULT, AUDIT_LIMIT_MAX, AuditPageResource } from './audit.schema.js';

export const AuditQuery = z.strictObject({
  transactionId: z.string().min(1, 'must not be empty').max(64, 'is no transaction id').optional(),
  by: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be the id of a key')
    .optional(),
  limit: limitField(AUDIT_LIMIT_MAX, AUDIT_LIMIT_DEFAULT),
  cursor: cursorField,
});
export type AuditQuery = z.infer<typeof AuditQuery>;

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
