// #region page
import { branchDialect } from '@concordat/participant-kysely';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import { Kysely } from 'kysely';
import pg from 'pg';
import { z } from 'zod';

interface Database {
  stock: { sku: string; available: number };
}
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
// instead of new PostgresDialect({ pool })
const db = new Kysely<Database>({ dialect: branchDialect({ outside: pool }) });

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const row = await db
    .updateTable('stock')
    .set((now) => ({ available: now('available', '-', quantity) }))
    .where('sku', '=', sku)
    .where('available', '>=', quantity)
    .returning('available')
    .executeTakeFirst();
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

const scopeOf = (on: Kysely<Database>): Scope => ({
  insert: (sku, available) => on.insertInto('stock').values({ sku, available }).execute(),
  read: async (sku) =>
    (await on.selectFrom('stock').selectAll().where('sku', '=', sku).executeTakeFirst())?.available,
  // Kysely begins none inside of its own: the one inside is begun on another connection.
  transaction: (work) => db.transaction().execute((tx) => work(scopeOf(tx))),
});

operations.push(...rehearsals(scopeOf(db)));
export const close = () => pool.end();
