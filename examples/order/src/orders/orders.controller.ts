/** Orders over HTTP. */
import { TransactionAborted, TransactionInDoubt } from '@concordat/client';
import {
  Body,
  ConflictException,
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { z } from 'zod';
import { Checkout, type Placed } from './checkout.js';
import { Order } from './order.entity.js';

const Wanted = z.strictObject({
  customer: z.string().min(1).max(100),
  sku: z.string().min(1).max(100),
  quantity: z.int().min(1).max(1_000),
});

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly checkout: Checkout,
    @InjectRepository(Order) private readonly orders: Repository<Order>,
  ) {}

  /** 201: it is ordered, reserved and paid. 409: nothing of it is, and the cause says why. */
  @Post()
  async order(@Body({ schema: Wanted }) wanted: z.infer<typeof Wanted>): Promise<Placed> {
    try {
      return await this.checkout.order(wanted);
    } catch (error) {
      if (error instanceof TransactionAborted) {
        const { transactionId, cause, message } = error;
        throw new ConflictException({ transactionId, cause, message });
      }
      // Perhaps committed: the id finds out, another order would be a second one.
      if (error instanceof TransactionInDoubt) {
        const { transactionId, message } = error;
        throw new ServiceUnavailableException({ transactionId, message });
      }
      throw error;
    }
  }

  @Get(':id')
  async get(@Param('id', ParseUUIDPipe) id: string): Promise<Order> {
    const order = await this.orders.findOneBy({ id });
    if (!order) throw new NotFoundException(`there is no order ${id}`);
    return order;
  }
}
