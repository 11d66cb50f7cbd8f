/** What transactions may ask of this service. */
import { InjectBranchRepository, Operation, Participant } from '@concordat/participant';
import { Repository } from 'typeorm';
import { z } from 'zod';
import { Order } from './order.entity.js';

const Place = z.strictObject({
  id: z.uuid(),
  customer: z.string().min(1),
  sku: z.string().min(1),
  quantity: z.int().min(1),
  total: z.int().min(0),
});

@Participant()
export class OrdersParticipant {
  constructor(@InjectBranchRepository(Order) private readonly orders: Repository<Order>) {}

  @Operation('place', Place)
  async place(order: z.infer<typeof Place>): Promise<void> {
    await this.orders.insert(order);
  }
}
