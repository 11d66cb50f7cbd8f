/**
 * What operators do: deliver again now, and record that a heuristic outcome was reconciled. Guards
 * protocol §7: every action uses the machinery that exists, and the opposite of a standing decision
 * is not offered; each is audited before it is done. (Aborting an undecided transaction is the ordinary
 * rollback, with an operator's key.)
 */
import { Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ServerResponse } from 'node:http';
import { Caller, OperatorsOnly } from '../access/access.decorators.js';
import type { Principal } from '../access/key-ring.js';
import { Audited } from '../admin/audit/audited.js';
import { Acting, type Operator } from '../admin/caller.js';
import { send } from '../requests/reply.js';
import { Resolve, Retry } from './begin.schema.js';
import { OperatorCommands } from './operator-commands.js';
import { TransactionLookup } from './transaction-lookup.js';
import { ProblemResource, TransactionResource } from './transaction.schema.js';

@ApiTags('operators')
@ApiBearerAuth()
@OperatorsOnly()
@Controller('v1/transactions')
export class OperatorController {
  constructor(
    private readonly commands: OperatorCommands,
    private readonly lookup: TransactionLookup,
    private readonly audited: Audited,
  ) {}

  @Post(':id/retry')
  @HttpCode(200)
  @ApiBody({ required: false })
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'retryTransaction',
    summary: 'Deliver a standing decision again now, to one branch or to all that wait',
  })
  @ApiResponse({ status: 200, standardSchema: TransactionResource, description: 'sent again' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async retry(
    @Param('id') id: string,
    @Body({ schema: Retry }) body: Retry,
    @Acting() operator: Operator,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const transaction = this.lookup.idOf(id);
    const { branch } = body;
    const { result } = await this.audited.run(
      operator,
      { action: 'retry', transaction, ...(branch === undefined ? {} : { branch }) },
      () => this.commands.retry(transaction, branch),
      ({ status }) => ({ status }),
    );
    return send(response, result);
  }

  @Post(':id/resolve')
  @HttpCode(200)
  @ApiParam({ name: 'id', description: 'transaction id' })
  @ApiOperation({
    operationId: 'resolveTransaction',
    summary: 'Record how a heuristic outcome was reconciled; the evidence stays',
  })
  @ApiResponse({ status: 200, standardSchema: TransactionResource, description: 'recorded' })
  @ApiResponse({ status: '4XX', standardSchema: ProblemResource, description: 'a problem' })
  async resolve(
    @Param('id') id: string,
    @Body({ schema: Resolve }) body: Resolve,
    @Caller() principal: Principal,
    @Acting() operator: Operator,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const transaction = this.lookup.idOf(id);
    const { reason } = body;
    const { result } = await this.audited.run(
      operator,
      { action: 'acknowledge', transaction, reason },
      () => this.commands.resolve(transaction, reason, principal),
      ({ status }) => ({ status }),
    );
    return send(response, result);
  }
}
