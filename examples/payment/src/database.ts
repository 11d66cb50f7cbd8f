/** Prisma: `PRISMA` works in the current branch, and elsewhere beside transactions. */
import { branchPrisma } from '@concordat/participant-prisma';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './generated/client.js';
import { migrate } from './migrate.js';

export const PRISMA = Symbol('prisma');
export const OUTSIDE = Symbol('prisma outside of branches');

/** The client that a service has. Resolves when its tables are up to date. */
export async function openPrisma(url: string): Promise<PrismaClient> {
  await migrate(url);
  return new PrismaClient({ adapter: new PrismaPg(url) });
}

/** The client that operations and controllers use. */
export function inBranches(outside: PrismaClient): PrismaClient {
  return branchPrisma((adapter) => new PrismaClient({ adapter }), { outside });
}
