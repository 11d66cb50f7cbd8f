// #region page
import { branchPrisma } from '@concordat/participant-prisma';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import { PrismaPg } from '@prisma/adapter-pg';
import { z } from 'zod';
import { PrismaClient } from '../prisma/generated/client.js';

const url = process.env['DATABASE_URL'] ?? 'postgres://127.0.0.1:5432/stock';
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const outside = new PrismaClient({ adapter: new PrismaPg(url) }); // the client that you have
const prisma = branchPrisma((adapter) => new PrismaClient({ adapter }), { outside });

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const where = { sku, available: { gte: quantity } };
  const data = { available: { decrement: quantity } };
  const [row] = await prisma.stock.updateManyAndReturn({ where, data });
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
    database: { url, connectionsMax: 16 }, // Prisma's ordinary client keeps a pool of its own
    operations,
  });
// #endregion

import { BranchMisuse, branchPool, currentBranch } from '@concordat/participant/standalone';
import { rehearsals, type Scope } from './rehearsals.js';

type Client = Pick<PrismaClient, 'stock' | '$transaction'>;

const scopeOf = (on: Client): Scope => ({
  insert: (sku, available) => on.stock.create({ data: { sku, available } }),
  read: async (sku) => (await on.stock.findUnique({ where: { sku } }))?.available,
  // Prisma's own transactions cannot be nested: the one inside is begun on another connection.
  transaction: (work) =>
    prisma.$transaction((tx) =>
      work(scopeOf({ stock: tx.stock, $transaction: prisma.$transaction })),
    ),
});
operations.push(...rehearsals(scopeOf(prisma)));

/** What a service would have without the guard: one client for all branches, on the pool of the branch. */
const unguarded = new PrismaClient({ adapter: new PrismaPg(branchPool()) });
const named = rehearsals({ ...scopeOf(unguarded), insert: scopeOf(prisma).insert });
operations.push(...named.map((one) => ({ ...one, name: `unguarded-${one.name}` })));

let kept: PrismaClient['stock'] | undefined;
operations.push({
  name: 'keep',
  run: async () => {
    kept ??= prisma.stock;
    const found = await kept
      .findUnique({ where: { sku: 'none' } })
      .catch((error: unknown) => error);
    return { branch: currentBranch().gid, isRefused: found instanceof BranchMisuse };
  },
});
export const close = async () => {
  await Promise.all([outside, prisma, unguarded].map((one) => one.$disconnect()));
};
