import { Body, Controller, Get, Param, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Account } from './account.entity';

@Controller('accounts')
export class AccountsController {
  constructor(@InjectRepository(Account) private readonly accounts: Repository<Account>) {}

  @Post()
  async open(@Body() { id, balance }: Account): Promise<Account> {
    return this.accounts.save({ id, balance });
  }

  @Get(':id')
  async find(@Param('id') id: string): Promise<Account | null> {
    return this.accounts.findOneBy({ id });
  }
}
