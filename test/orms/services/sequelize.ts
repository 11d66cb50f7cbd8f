// #region page
import { followBranches } from '@concordat/participant-sequelize';
import { VoteNo, createParticipant } from '@concordat/participant/standalone';
import type { OperationDefinition } from '@concordat/participant/standalone';
import { DataTypes, Op, Sequelize } from 'sequelize';
import { z } from 'zod';

const url = process.env['DATABASE_URL'] ?? 'postgres://127.0.0.1:5432/stock';
const Reserve = z.strictObject({ sku: z.string(), quantity: z.int().min(1) });

const sequelize = followBranches(new Sequelize(url, { logging: false }), { ownPoolOutside: true });
const Stock = sequelize.define(
  'stock',
  {
    sku: { type: DataTypes.TEXT, primaryKey: true },
    available: { type: DataTypes.INTEGER, allowNull: false },
  },
  { freezeTableName: true, timestamps: false },
);

async function reserve(input: unknown): Promise<{ available: number }> {
  const { sku, quantity } = Reserve.parse(input);
  const row = await Stock.findOne({
    where: { sku, available: { [Op.gte]: quantity } },
    lock: true,
  });
  if (!row) throw new VoteNo('OUT_OF_STOCK', { sku });
  const { available } = (await row.decrement({ available: quantity })).get() as {
    available: number;
  };
  return { available };
}

export const operations: OperationDefinition[] = [
  { name: 'reserve', input: Reserve, run: reserve },
];
export const participant = () =>
  createParticipant({
    name: process.env['PARTICIPANT_NAME'] ?? 'stock',
    natsUrl: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
    database: { url, connectionsMax: 16 }, // Sequelize keeps its own pool for work outside of branches
    operations,
  });
// #endregion

import type { Transaction } from 'sequelize';
import { rehearsals, type Scope } from './rehearsals.js';

const scopeOf = (transaction?: Transaction): Scope => ({
  insert: (sku, available) => Stock.create({ sku, available }, { transaction }),
  read: async (sku) => {
    const row = await Stock.findByPk(sku, { transaction });
    return (row?.get() as { available: number } | undefined)?.available;
  },
  transaction: (work) => sequelize.transaction({ transaction }, (inner) => work(scopeOf(inner))),
});

operations.push(...rehearsals(scopeOf()));
export const close = () => sequelize.close();
