// #region page
import { Operation, Participant, ParticipantModule, VoteNo } from '@concordat/participant';
import { TransactionalAdapterConcordat } from '@concordat/participant-nestjs-cls';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { Inject, Injectable, Module } from '@nestjs/common';
import { ClsModule } from 'nestjs-cls';
import pg from 'pg';
import { z } from 'zod';

const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });
type Reserve = z.infer<typeof Reserve>;
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
const adapter = new TransactionalAdapterConcordat({ outside: pool });

/** A service as it was: it knows nothing of branches. */
@Injectable()
export class StockService {
  constructor(@Inject(TransactionHost) private readonly host: TransactionHost<typeof adapter>) {}

  @Transactional()
  async reserve({ sku, quantity }: Reserve): Promise<{ available: number } | undefined> {
    const { rows } = await this.host.tx.query<{ available: number }>(
      `UPDATE stock SET available = available - $2
        WHERE sku = $1 AND available >= $2 RETURNING available`,
      [sku, quantity],
    );
    return rows[0];
  }
}

@Participant()
export class StockParticipant {
  constructor(@Inject(StockService) private readonly service: StockService) {}

  @Operation('reserve', Reserve)
  async reserve(input: Reserve): Promise<{ available: number }> {
    const row = await this.service.reserve(input);
    if (!row) throw new VoteNo('OUT_OF_STOCK', { sku: input.sku });
    return row;
  }
}

@Module({
  imports: [
    ClsModule.forRoot({ global: true, plugins: [new ClsPluginTransactional({ adapter })] }),
    ParticipantModule.forRoot({
      name: process.env['PARTICIPANT_NAME'] ?? 'stock',
      natsUrl: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
      database: { pool },
      sessionsMax: 16, // leave the pool some connections for work outside of branches
    }),
  ],
  providers: [StockService, StockParticipant],
})
export class StockModule {}
// #endregion

import { ParticipantHost } from '@concordat/participant';
import { Propagation } from '@nestjs-cls/transactional';
import { NestFactory } from '@nestjs/core';
import { setTimeout as pause } from 'node:timers/promises';
import { rehearsals, type Scope } from './rehearsals.js';

let host: TransactionHost<typeof adapter>;
const scope: Scope = {
  insert: (sku, available) => host.tx.query('INSERT INTO stock VALUES ($1, $2)', [sku, available]),
  read: async (sku) => {
    const text = 'SELECT available FROM stock WHERE sku = $1';
    return (await host.tx.query<{ available: number }>(text, [sku])).rows[0]?.available;
  },
  transaction: (work) => host.withTransaction(Propagation.Nested, () => work(scope)),
};

@Participant()
class Rehearsals {
  private readonly of = new Map(rehearsals(scope).map((one) => [one.name, one.run]));
  private run(name: string, input: unknown): unknown {
    return this.of.get(name)?.(input, undefined as never);
  }
  @Operation('insert') insert(input: unknown): unknown {
    return this.run('insert', input);
  }
  @Operation('twice') twice(input: unknown): unknown {
    return this.run('twice', input);
  }
  @Operation('parts') parts(input: unknown): unknown {
    return this.run('parts', input);
  }
  @Operation('concurrent') concurrent(input: unknown): unknown {
    return this.run('concurrent', input);
  }
  @Operation('meet') meet(input: unknown): unknown {
    return this.run('meet', input);
  }
}

@Module({ imports: [StockModule], providers: [Rehearsals] })
class RehearsedModule {}

/** The same life as of a participant without Nest. */
export const participant = () => {
  const created = NestFactory.createApplicationContext(RehearsedModule, { logger: ['error'] });
  return {
    start: async () => {
      const app = await created;
      host = app.get(TransactionHost);
    },
    ready: async () => {
      const here = (await created).get(ParticipantHost);
      while (!(await here.readiness()).ready) await pause(20);
    },
    stop: async () => (await created).close(),
  };
};
export const close = () => pool.end();
