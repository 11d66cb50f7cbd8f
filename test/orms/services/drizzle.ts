// #region page
import { branchDrizzle } from '@concordat/participant-drizzle';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import { and, eq, gte, sql } from 'drizzle-orm';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { z } from 'zod';

const stock = pgTable('stock', { sku: text().primaryKey(), available: integer().notNull() });
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
const db = branchDrizzle({ schema: { stock } }, { outside: pool }); // instead of drizzle(pool)

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const [row] = await db
    .update(stock)
    .set({ available: sql`${stock.available} - ${quantity}` })
    .where(and(eq(stock.sku, sku), gte(stock.available, quantity)))
    .returning({ available: stock.available });
  if (!row) throw new VoteNo('OUT_OF_STOCK', { sku });
  return row;
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

import { rehearsals, type Scope } from './rehearsals.js';

const scopeOf = (on: Pick<typeof db, 'insert' | 'query' | 'transaction'>): Scope => ({
  insert: (sku, available) => on.insert(stock).values({ sku, available }),
  read: async (sku) => (await on.query.stock.findFirst({ where: eq(stock.sku, sku) }))?.available,
  transaction: (work) => on.transaction((tx) => work(scopeOf(tx))),
});

operations.push(...rehearsals(scopeOf(db)));
export const close = () => pool.end();
