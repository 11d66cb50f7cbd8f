/**
 * The ledger called directly over HTTP. With a `Concordat-Context` header a call joins the caller's
 * transaction before it does anything; without one it is refused, because this ledger changes
 * balances in transactions only. Reading is free.
 */
import { Body, Controller, Get, NotFoundException, Param, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { JoinTransaction } from '@concordat/participant';
import type { Repository } from 'typeorm';
import type { z } from 'zod';
import { Account } from './account.entity.js';
import { AccountParam, MoveBody, OpenBody } from './account.inputs.js';
import { AccountsParticipant, type Balance } from './accounts.participant.js';

@Controller('accounts')
export class AccountsController {
  constructor(
    private readonly operations: AccountsParticipant,
    @InjectRepository(Account) private readonly accounts: Repository<Account>,
  ) {}

  @Post(':id/open')
  @JoinTransaction({ required: true })
  open(
    @Param('id', { schema: AccountParam }) account: string,
    @Body({ schema: OpenBody }) { amount }: z.infer<typeof OpenBody>,
  ): Promise<Balance> {
    return this.operations.open({ account, amount });
  }

  @Post(':id/debit')
  @JoinTransaction({ required: true })
  debit(
    @Param('id', { schema: AccountParam }) account: string,
    @Body({ schema: MoveBody }) { amount }: z.infer<typeof MoveBody>,
  ): Promise<Balance> {
    return this.operations.debit({ account, amount });
  }

  @Post(':id/credit')
  @JoinTransaction({ required: true })
  credit(
    @Param('id', { schema: AccountParam }) account: string,
    @Body({ schema: MoveBody }) { amount }: z.infer<typeof MoveBody>,
  ): Promise<Balance> {
    return this.operations.credit({ account, amount });
  }

  /** Committed balances only: work of prepared branches is not seen until they commit. */
  @Get(':id')
  async show(@Param('id', { schema: AccountParam }) id: string): Promise<Account> {
    const account = await this.accounts.findOneBy({ id });
    if (!account) throw new NotFoundException(`there is no account ${id}`);
    return account;
  }
}
