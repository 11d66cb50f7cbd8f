/** An order as one transaction: reserved, paid and placed, or nothing of it. */
import { GlobalTransaction, transactionHere } from '@concordat/client-nest';
import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';

export interface Wanted {
  readonly customer: string;
  readonly sku: string;
  readonly quantity: number;
}

export interface Placed extends Wanted {
  readonly id: string;
  readonly total: number;
  readonly transactionId: string;
}

@Injectable()
export class Checkout {
  /** Commits when it returns, and rolls back in all three databases when it throws. */
  @GlobalTransaction({ label: 'order', timeoutMs: 10_000 })
  async order(wanted: Wanted): Promise<Placed> {
    const transaction = transactionHere();
    const { customer, sku, quantity } = wanted;
    const id = randomUUID();
    const { price } = await transaction.call<{ price: number }>('stock', 'reserve', {
      sku,
      quantity,
    });
    const total = price * quantity;
    await transaction.call('payment', 'charge', { order: id, customer, amount: total });
    await transaction.call('order', 'place', { id, customer, sku, quantity, total });
    return { ...wanted, id, total, transactionId: transaction.id };
  }
}
