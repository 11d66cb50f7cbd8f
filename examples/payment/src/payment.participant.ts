/** What transactions may ask of this service. */
import { Operation, Participant, VoteNo } from '@concordat/participant';
import { Inject } from '@nestjs/common';
import { z } from 'zod';
import { PRISMA } from './database.js';
import type { PrismaClient } from './generated/client.js';

const Charge = z.strictObject({
  order: z.uuid(),
  customer: z.string().min(1),
  amount: z.int().min(0),
});

@Participant()
export class PaymentParticipant {
  constructor(@Inject(PRISMA) private readonly prisma: PrismaClient) {}

  /** Takes the money of an order; returns what is left. */
  @Operation('charge', Charge)
  async charge({ order, customer, amount }: z.infer<typeof Charge>): Promise<{ balance: number }> {
    const [account] = await this.prisma.account.updateManyAndReturn({
      where: { customer, balance: { gte: amount } },
      data: { balance: { decrement: amount } },
    });
    if (!account) throw new VoteNo('PAYMENT_REFUSED', { customer, amount });
    await this.prisma.charge.create({ data: { order, customer, amount } });
    return { balance: account.balance };
  }
}
