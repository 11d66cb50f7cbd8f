/**
 * The inventory called directly over HTTP: with a `Concordat-Context` header a call joins the
 * caller's transaction, without one it is refused. Reading is free.
 */
import { Body, Controller, Get, Inject, NotFoundException, Param, Post } from '@nestjs/common';
import { JoinTransaction } from '@concordat/participant';
import type { Pool } from 'pg';
import type { z } from 'zod';
import { POOL } from '../database.js';
import { MoveBody, Sku } from './stock.inputs.js';
import { StockParticipant, type Level } from './stock.participant.js';
import { LEVEL } from './stock.sql.js';

type Quantity = z.infer<typeof MoveBody>;

@Controller('stock')
export class StockController {
  constructor(
    private readonly operations: StockParticipant,
    @Inject(POOL) private readonly pool: Pool,
  ) {}

  @Post(':sku/stock')
  @JoinTransaction({ required: true })
  stock(
    @Param('sku', { schema: Sku }) sku: string,
    @Body({ schema: MoveBody }) { quantity }: Quantity,
  ): Promise<Level> {
    return this.operations.stock({ sku, quantity });
  }

  @Post(':sku/reserve')
  @JoinTransaction({ required: true })
  reserve(
    @Param('sku', { schema: Sku }) sku: string,
    @Body({ schema: MoveBody }) { quantity }: Quantity,
  ): Promise<Level> {
    return this.operations.reserve({ sku, quantity });
  }

  @Post(':sku/release')
  @JoinTransaction({ required: true })
  release(
    @Param('sku', { schema: Sku }) sku: string,
    @Body({ schema: MoveBody }) { quantity }: Quantity,
  ): Promise<Level> {
    return this.operations.release({ sku, quantity });
  }

  /** Committed levels only. */
  @Get(':sku')
  async show(@Param('sku', { schema: Sku }) sku: string): Promise<Level> {
    const { rows } = await this.pool.query<Level>(LEVEL, [sku]);
    if (!rows[0]) throw new NotFoundException(`there is no sku ${sku}`);
    return rows[0];
  }
}
