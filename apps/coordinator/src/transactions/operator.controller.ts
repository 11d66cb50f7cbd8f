/**
 * What operators do: deliver again now, and record that a heuristic outcome was reconciled. Guards
 * protocol §7: every action uses the machinery that exists, and the opposite of a standing decision
 * is not offered. (Aborting an undecided transaction is the ordinary rollback, with an operator's key.)
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
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    return send(response, await this.commands.retry(this.lookup.idOf(id), body.branch));
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
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<unknown> {
    const { reason } = body;
    return send(response, await this.commands.resolve(this.lookup.idOf(id), reason, principal));
  }
}
