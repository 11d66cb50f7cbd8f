/**
 * Transactions through the admin API: lists, one with everything, and what may be done to it. Guards
 * "the opposite of what is shown is never done": an action says, in If-Match, what was seen.
 */
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '../../platform/described.js';
import {
  ActionBody,
  ActionResultResource,
  AdminListQuery,
  AdminTransactionListResource,
  AdminTransactionResource,
  ProblemResource,
} from '@concordat/api';
import { AuditTrail } from '@concordat/decision-log';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { TransactionLookup } from '../../transactions/transaction-lookup.js';
import { headerOf } from '../../requests/reply.js';
import { Acting, type Operator } from '../../access/acting.js';
import { answered } from '../../problems/answered.js';
import { AdminLists } from './admin-lists.js';
import { Situations } from './situations.js';
import { TransactionActions } from './transaction-actions.js';
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
    private readonly actions: TransactionActions,
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

  @Post(':id/actions')
  @HttpCode(200)
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiHeader({ name: 'If-Match', required: true, description: 'the `etag` of what was seen' })
  @ApiOperation({
    operationId: 'adminAct',
    summary: 'Carry out an offered action; the answer says what it did at each branch',
  })
  @ApiResponse({ status: 200, standardSchema: ActionResultResource, description: 'what it did' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async act(
    @Param('id') text: string,
    @Body({ schema: ActionBody }) body: ActionBody,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<ActionResultResource> {
    const id = this.lookup.idOf(text);
    const done = await this.actions.act(id, body, headerOf(request, 'if-match'), operator);
    response.setHeader('ETag', done.etag);
    response.setHeader('Cache-Control', 'no-store');
    return done;
  }
}
