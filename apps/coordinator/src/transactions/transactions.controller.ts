/**
 * The routes that begin, extend and end transactions. Guards nothing by itself: it reads the request,
 * calls the commands and writes their reply.
 */
import { Body, Controller, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '../platform/described.js';
import {
  BeginTransaction,
  Commit,
  ProblemResource,
  Rollback,
  RunOperations,
  TransactionResource,
  WaitQuery,
  WorkResource,
} from '@concordat/api';
import { inSpan } from '@concordat/channel';
import type { TransactionId } from '@concordat/protocol';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Caller } from '../access/access.decorators.js';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { Audited } from '../access/audited.js';
import { Acting, type Operator } from '../access/acting.js';
import { CONFIG, type CoordinatorConfig } from '../platform/coordinator.config.js';
import { idempotencyKeyOf } from '../idempotency/idempotency-key.js';
import { headerOf, send, type Reply } from '../requests/reply.js';
import { traceOf } from '../requests/trace-context.js';
import { waitOf, type Wait } from '../requests/wait.js';
import { AnyCoordinator } from './any-coordinator.js';
import { rollbackReason, TransactionCommands } from './transaction-commands.js';
import { TransactionLookup } from './transaction-lookup.js';
import { inTransaction } from './transaction-span.js';

const AbortedResponse = () =>
  ApiResponse({
    status: 409,
    standardSchema: ProblemResource,
    description: 'aborted, with the cause; or not possible in its state',
  });
const RefusedResponse = () =>
  ApiResponse({
    status: '4XX',
    standardSchema: ProblemResource,
    description: 'a problem that names the field or the reason',
  });

@ApiTags('transactions')
@ApiBearerAuth()
@Controller('v1/transactions')
export class TransactionsController {
  constructor(
    private readonly commands: TransactionCommands,
    private readonly anywhere: AnyCoordinator,
    private readonly lookup: TransactionLookup,
    private readonly audited: Audited,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  @Post()
  @ApiBody({ required: false })
  @ApiOperation({
    operationId: 'beginTransaction',
    summary: 'Begin; with branches and "commit": true, the whole transaction in one call',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'at most one transaction under a key commits; a repeat that aborts does not answer for an earlier request whose answer was lost: repeat again, under the same key, after its time-out',
  })
  @ApiHeader({ name: 'Prefer', required: false, description: 'wait=<seconds>' })
  @ApiResponse({
    status: 200,
    standardSchema: TransactionResource,
    description: 'committed, or durably decided',
  })
  @ApiResponse({ status: 201, standardSchema: TransactionResource, description: 'begun and open' })
  @ApiResponse({
    status: 202,
    standardSchema: TransactionResource,
    description: 'still under way: look at Location',
  })
  @AbortedResponse()
  @RefusedResponse()
  async begin(
    @Body({ schema: BeginTransaction }) body: BeginTransaction,
    @Query({ schema: WaitQuery }) query: WaitQuery,
    @Caller() principal: Principal,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const idempotencyKey = idempotencyKeyOf(headerOf(request, 'idempotency-key'));
    const came = traceOf(request.headers);
    const attributes = { 'concordat.label': body.label ?? '' };
    const reply = await inSpan('concordat transaction', { trace: came, attributes }, (trace) =>
      this.commands.begin(body, {
        principal,
        wait: this.wait(query, request),
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(trace ? { trace } : {}),
      }),
    );
    return send(response, reply);
  }

  @Post(':id/branches')
  @HttpCode(200)
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'runOperations',
    summary: 'Run operations in a participant’s branch of an open transaction',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'a repeat under the same key runs nothing again and gets the same answer',
  })
  @ApiResponse({
    status: 200,
    standardSchema: WorkResource,
    description: 'done; not yet committed',
  })
  @AbortedResponse()
  @RefusedResponse()
  async work(
    @Param('id') id: string,
    @Body({ schema: RunOperations }) body: RunOperations,
    @Caller() principal: Principal,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const key = idempotencyKeyOf(headerOf(request, 'idempotency-key'));
    const transaction = this.lookup.idOf(id);
    const own = this.lookup.traceOf(transaction);
    const reply = await inTransaction('work', transaction, own, request, () =>
      this.anywhere.work(transaction, body, principal, key),
    );
    return send(response, reply);
  }

  @Post(':id/commit')
  @HttpCode(200)
  @ApiBody({ required: false })
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'commitTransaction',
    summary: 'Commit; repeats get the same answer',
  })
  @ApiHeader({ name: 'Prefer', required: false, description: 'wait=<seconds>' })
  @ApiResponse({
    status: 200,
    standardSchema: TransactionResource,
    description: 'committed, or durably decided',
  })
  @ApiResponse({
    status: 202,
    standardSchema: TransactionResource,
    description: 'still under way: look at Location',
  })
  @AbortedResponse()
  @RefusedResponse()
  async commit(
    @Param('id') id: string,
    @Body({ schema: Commit }) _body: unknown,
    @Query({ schema: WaitQuery }) query: WaitQuery,
    @Caller() principal: Principal,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const wait = this.wait(query, request);
    const transaction = this.lookup.idOf(id);
    const own = this.lookup.traceOf(transaction);
    const reply = await inTransaction('commit', transaction, own, request, () =>
      this.anywhere.commit(transaction, principal, wait),
    );
    return send(response, reply);
  }

  @Post(':id/rollback')
  @HttpCode(200)
  @ApiBody({ required: false })
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'rollbackTransaction',
    summary: 'Roll back; 409 when commit is on record',
  })
  @ApiHeader({ name: 'Prefer', required: false, description: 'wait=<seconds>' })
  @ApiResponse({ status: 200, standardSchema: TransactionResource, description: 'aborted' })
  @ApiResponse({
    status: 202,
    standardSchema: TransactionResource,
    description: 'still under way: look at Location',
  })
  @AbortedResponse()
  @RefusedResponse()
  async rollback(
    @Param('id') id: string,
    @Body({ schema: Rollback }) body: Rollback,
    @Query({ schema: WaitQuery }) query: WaitQuery,
    @Caller() principal: Principal,
    @Acting() operator: Operator,
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const transaction = this.lookup.idOf(id);
    const reason = rollbackReason(body);
    const wait = this.wait(query, request);
    const abort = () => this.anywhere.rollback(transaction, body, principal, wait);
    const isOperator = includes(principal.scope, 'operator');
    const own = this.lookup.traceOf(transaction);
    const reply = await inTransaction('rollback', transaction, own, request, () =>
      isOperator ? this.rollbackAudited(operator, transaction, reason, abort) : abort(),
    );
    return send(response, reply);
  }

  /** An operator who aborts what somebody else has begun acts by the rules of operators. */
  private async rollbackAudited(
    operator: Operator,
    transaction: TransactionId,
    reason: string,
    abort: () => Promise<Reply>,
  ): Promise<Reply> {
    const known = await this.lookup.find(transaction);
    if (known?.principal === operator.by) return abort();
    const before = { status: known?.status ?? 'unknown' };
    const asked = { action: 'abort', transaction, reason, before };
    const { result } = await this.audited.run(operator, asked, abort, ({ status }) => ({ status }));
    return result;
  }

  private wait(query: WaitQuery, request: IncomingMessage): Wait {
    return waitOf(query, headerOf(request, 'prefer'), this.config);
  }
}
