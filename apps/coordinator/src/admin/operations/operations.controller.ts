/**
 * Bulk operations through the admin API: plan, look, start, cancel. Never force. Guards "If-Match on every
 * mutation": a start or a cancel says what was seen; a plan is new and names nothing seen.
 */
import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '../../platform/described.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminRoute } from '../../access/access.decorators.js';
import { headerOf } from '../../requests/reply.js';
import {
  AdminOperationDetailResource,
  AdminOperationListResource,
  AdminOperationResource,
  CancelBody,
  ItemsQuery,
  OperationBody,
  ProblemResource,
  StartBody,
} from '@concordat/api';
import { Identity } from '../../platform/identity.js';
import { Acting, type Operator } from '../../access/acting.js';
import { answered } from '../../problems/answered.js';
import { Operations } from './operations.js';

@ApiTags('admin')
@ApiBearerAuth()
@AdminRoute()
@Controller('v1/admin/operations')
export class OperationsController {
  constructor(
    private readonly operations: Operations,
    private readonly identity: Identity,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'adminOperations', summary: 'Bulk operations, newest first' })
  @ApiResponse({ status: 200, standardSchema: AdminOperationListResource, description: 'the last' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async list(
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminOperationListResource> {
    response.setHeader('Cache-Control', 'no-store');
    return {
      operations: await answered(this.operations.list()),
      serverTime: new Date(this.identity.clock.wallNow()).toISOString(),
    };
  }

  @Get(':id')
  @ApiParam({ name: 'id', description: 'id of the operation' })
  @ApiOperation({ operationId: 'adminOperation', summary: 'One, with a page of its items' })
  @ApiResponse({ status: 200, standardSchema: AdminOperationDetailResource, description: 'it' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async show(
    @Param('id') id: string,
    @Query({ schema: ItemsQuery }) { cursor }: ItemsQuery,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminOperationDetailResource> {
    response.setHeader('Cache-Control', 'no-store');
    return tagged(response, await answered(this.operations.show(id, cursor)));
  }

  @Post()
  @HttpCode(201)
  @ApiOperation({
    operationId: 'adminPlanOperation',
    summary: 'Plan: freezes the selection and returns the expected results. Nothing is begun',
  })
  @ApiResponse({ status: 201, standardSchema: AdminOperationResource, description: 'planned' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async plan(
    @Body({ schema: OperationBody }) body: OperationBody,
    @Acting() operator: Operator,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminOperationResource> {
    const planned = await answered(this.operations.plan(body, operator));
    response.setHeader('Location', `/v1/admin/operations/${planned.operationId}`);
    return tagged(response, planned);
  }

  @Post(':id/start')
  @HttpCode(202)
  @ApiBody({ required: false })
  @ApiHeader({ name: 'If-Match', required: true, description: 'the `etag` of what was seen' })
  @ApiParam({ name: 'id', description: 'id of the operation' })
  @ApiOperation({ operationId: 'adminStartOperation', summary: 'Begin, or go on after a crash' })
  @ApiResponse({ status: 202, standardSchema: AdminOperationResource, description: 'running' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async start(
    @Param('id') id: string,
    @Body({ schema: StartBody }) { confirm }: StartBody,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminOperationResource> {
    const ifMatch = headerOf(request, 'if-match');
    return tagged(response, await answered(this.operations.start(id, confirm, ifMatch, operator)));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiBody({ required: false })
  @ApiHeader({ name: 'If-Match', required: true, description: 'the `etag` of what was seen' })
  @ApiParam({ name: 'id', description: 'id of the operation' })
  @ApiOperation({ operationId: 'adminCancelOperation', summary: 'Leave what has not begun' })
  @ApiResponse({ status: 200, standardSchema: AdminOperationResource, description: 'cancelled' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async cancel(
    @Param('id') id: string,
    @Body({ schema: CancelBody }) _body: object,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<AdminOperationResource> {
    const ifMatch = headerOf(request, 'if-match');
    return tagged(response, await answered(this.operations.cancel(id, ifMatch, operator)));
  }
}

/** The answer, with its tag in the header as well. */
function tagged<T extends { readonly etag: string }>(response: ServerResponse, shown: T): T {
  response.setHeader('ETag', shown.etag);
  return shown;
}
