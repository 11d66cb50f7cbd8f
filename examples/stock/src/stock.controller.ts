/** What is in stock, over HTTP. */
import { Controller, Get, Inject, NotFoundException, Param } from '@nestjs/common';
import { eq } from 'drizzle-orm';
import { DATABASE, type Database } from './database.js';
import { stock } from './schema.js';

@Controller('stock')
export class StockController {
  constructor(@Inject(DATABASE) private readonly db: Database) {}

  @Get(':sku')
  async get(@Param('sku') sku: string): Promise<typeof stock.$inferSelect> {
    const row = await this.db.query.stock.findFirst({ where: eq(stock.sku, sku) });
    if (!row) throw new NotFoundException(`there is no ${sku}`);
    return row;
  }
}
