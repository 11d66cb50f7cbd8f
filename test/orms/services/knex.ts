// #region page
import { branchKnex } from '@concordat/participant-knex';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import pg from 'pg';
import { z } from 'zod';

interface Stock {
  sku: string;
  available: number;
}
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
const knex = branchKnex({}, { outside: pool }); // instead of knex({ client: 'pg', connection })

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const [row] = await knex<Stock>('stock')
    .where({ sku })
    .andWhere('available', '>=', quantity)
    .decrement('available', quantity)
    .returning('available');
  if (!row) throw new VoteNo('OUT_OF_STOCK', { sku });
  return { available: row.available };
}

export const operations: OperationDefinition[] = [
  { name: 'reserve', input: Reserve, run: reserve },
];
export const participant = () =>
  createParticipant({
    name: process.env['PARTICIPANT_NAME'] ?? 'stock',
    natsUrl: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
    database: { pool },
    sessionsMax: 16, // leave the pool some connections for work outside of branches
    operations,
  });
// #endregion

import type { Knex } from 'knex';
import { rehearsals, type Scope } from './rehearsals.js';

const scopeOf = (on: Knex): Scope => ({
  insert: (sku, available) => on<Stock>('stock').insert({ sku, available }).then(),
  read: async (sku) => (await on<Stock>('stock').where({ sku }).first())?.available,
  transaction: (work) => on.transaction((tx) => work(scopeOf(tx))),
});

operations.push(...rehearsals(scopeOf(knex)));
export const close = () => pool.end();
