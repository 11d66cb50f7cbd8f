/** What a customer has left, over HTTP. */
import { Controller, Get, Inject, NotFoundException, Param } from '@nestjs/common';
import { PRISMA } from './database.js';
import type { Account, PrismaClient } from './generated/client.js';

@Controller('accounts')
export class PaymentController {
  constructor(@Inject(PRISMA) private readonly prisma: PrismaClient) {}

  @Get(':customer')
  async get(@Param('customer') customer: string): Promise<Account> {
    const account = await this.prisma.account.findUnique({ where: { customer } });
    if (!account) throw new NotFoundException(`there is no account of ${customer}`);
    return account;
  }
}
