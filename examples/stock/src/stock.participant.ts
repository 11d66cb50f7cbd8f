/** What transactions may ask of this service. */
import { Operation, Participant, VoteNo } from '@concordat/participant';
import { Inject } from '@nestjs/common';
import { and, eq, gte, sql } from 'drizzle-orm';
import { z } from 'zod';
import { DATABASE, type Database } from './database.js';
import { stock } from './schema.js';

const Reserve = z.strictObject({ sku: z.string().min(1), quantity: z.int().min(1) });

@Participant()
export class StockParticipant {
  constructor(@Inject(DATABASE) private readonly db: Database) {}

  /** Takes goods out of stock; returns what one of them costs. */
  @Operation('reserve', Reserve)
  async reserve({ sku, quantity }: z.infer<typeof Reserve>): Promise<{ price: number }> {
    const [row] = await this.db
      .update(stock)
      .set({ available: sql`${stock.available} - ${quantity}` })
      .where(and(eq(stock.sku, sku), gte(stock.available, quantity)))
      .returning({ price: stock.price });
    if (!row) throw new VoteNo('OUT_OF_STOCK', { sku, quantity });
    return row;
  }
}
