/**
 * Transactions through the admin API: lists, one with everything, and what may be done to it. Guards
 * "the opposite of what is shown is never done": whoever acts says, in If-Match, what was seen.
 */
import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AuditTrail } from '@concordat/decision-log';
import type { ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { CONFIG, type CoordinatorConfig } from '../../coordinator.config.js';
import { TransactionLookup } from '../../transactions/transaction-lookup.js';
import { ProblemResource } from '../../transactions/transaction.schema.js';
import { AdminLists, answered } from './admin-lists.js';
import {
  AdminListQuery,
  AdminTransactionListResource,
  AdminTransactionResource,
} from './admin-transaction.schema.js';
import { Situations } from './situations.js';
import { detailOf } from './transaction-detail.js';

/** Entries of the audit that come with a transaction. */
const AUDIT_SHOWN = 100;

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/transactions')
export class AdminTransactionsController {
  constructor(
    private readonly lists: AdminLists,
    private readonly situations: Situations,
    private readonly lookup: TransactionLookup,
    private readonly audit: AuditTrail,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'adminTransactions',
    summary: 'A saved view of transactions: what does harm first, then the oldest',
  })
  @ApiResponse({ status: 200, standardSchema: AdminTransactionListResource, description: 'a page' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Query({ schema: AdminListQuery }) query: AdminListQuery,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminTransactionListResource> {
    response.setHeader('Cache-Control', 'no-store');
    return this.lists.list(query);
  }

  @Get(':id')
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'adminTransaction',
    summary: 'One transaction: why it is where it is, what happens next, what may be done',
  })
  @ApiResponse({ status: 200, standardSchema: AdminTransactionResource, description: 'all of it' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async show(
    @Param('id') text: string,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminTransactionResource> {
    const id = this.lookup.idOf(text);
    const [situation, audit] = await Promise.all([
      this.situations.of(id),
      answered(this.audit.page({ transaction: id, limit: AUDIT_SHOWN })),
    ]);
    const detail = detailOf(situation, audit.entries, this.config);
    response.setHeader('ETag', detail.etag);
    response.setHeader('Cache-Control', 'no-store');
    return detail;
  }
}
