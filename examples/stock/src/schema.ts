/** The tables of this service, as Drizzle knows them. `drizzle/` has the migrations. */
import { sql } from 'drizzle-orm';
import { check, integer, pgTable, text } from 'drizzle-orm/pg-core';

export const stock = pgTable(
  'stock',
  {
    sku: text().primaryKey(),
    available: integer().notNull(),
    /** Of one piece, in minor units. */
    price: integer().notNull(),
  },
  (table) => [check('stock_available', sql`${table.available} >= 0`)],
);
