// #region page
import { branchDriver, branchEntityManager } from '@concordat/participant-mikro-orm';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import { EntitySchema, LockMode } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { z } from 'zod';

const Stock = new EntitySchema<{ sku: string; available: number }>({
  name: 'Stock',
  tableName: 'stock',
  properties: { sku: { type: 'text', primary: true }, available: { type: 'integer' } },
});
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
const orm = await MikroORM.init({
  entities: [Stock],
  dbName: 'stock',
  connect: false,
  driverOptions: branchDriver({ outside: pool }),
});
const em = branchEntityManager(orm); // instead of orm.em

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  // A lock wants a transaction of MikroORM's own: a savepoint in the branch.
  return em.transactional(async (inner) => {
    const row = await inner.findOne(Stock, { sku }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!row || row.available < quantity) throw new VoteNo('OUT_OF_STOCK', { sku });
    row.available -= quantity;
    await inner.flush();
    return { available: row.available };
  });
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

type Manager = Pick<typeof em, 'insert' | 'fork' | 'transactional'>;

const scopeOf = (on: Manager): Scope => ({
  insert: (sku, available) => on.insert(Stock, { sku, available }),
  // Past the identity map, from the database.
  read: async (sku) =>
    (await on.fork({ clear: true, keepTransactionContext: true }).findOne(Stock, { sku }))
      ?.available,
  transaction: (work) => on.transactional((inner) => work(scopeOf(inner))),
});

operations.push(...rehearsals(scopeOf(em)));
export const close = () => pool.end();
