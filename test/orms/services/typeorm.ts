// #region page
import { VoteNo, createParticipant, followBranches } from '@concordat/participant';
import type { OperationDefinition } from '@concordat/participant';
import { DataSource, EntitySchema } from 'typeorm';
import { z } from 'zod';

const Stock = new EntitySchema<{ sku: string; available: number }>({
  name: 'stock',
  columns: { sku: { type: 'text', primary: true }, available: { type: 'integer' } },
});
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const dataSource = await new DataSource({
  type: 'postgres',
  url: process.env['DATABASE_URL'],
  entities: [Stock],
  poolSize: 20,
}).initialize();
followBranches(dataSource); // the repositories that you have work in the branch from here on
const repository = dataSource.getRepository(Stock);

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const row = await repository.findOne({ where: { sku }, lock: { mode: 'pessimistic_write' } });
  if (!row || row.available < quantity) throw new VoteNo('OUT_OF_STOCK', { sku });
  row.available -= quantity;
  await repository.save(row);
  return { available: row.available };
}

export const operations: OperationDefinition[] = [
  { name: 'reserve', input: Reserve, run: reserve },
];
export const participant = () =>
  createParticipant({
    name: process.env['PARTICIPANT_NAME'] ?? 'stock',
    natsUrl: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
    database: { dataSource },
    sessionsMax: 16, // leave the pool some connections for work outside of branches
    operations,
  });
// #endregion

import type { EntityManager } from 'typeorm';
import { rehearsals, type Scope } from './rehearsals.js';

const scopeOf = (on: EntityManager): Scope => ({
  insert: (sku, available) => on.getRepository(Stock).insert({ sku, available }),
  read: async (sku) => (await on.getRepository(Stock).findOneBy({ sku }))?.available,
  transaction: (work) => on.transaction((inner) => work(scopeOf(inner))),
});

operations.push(...rehearsals(scopeOf(dataSource.manager)));
export const close = () => dataSource.destroy();
