/** The inventory's statements. Test and change in one, so that two reservations cannot both win. */

/** $1 sku, $2 quantity. */
export const STOCK = `
INSERT INTO stock (sku, available) VALUES ($1, $2)
ON CONFLICT (sku) DO UPDATE SET available = stock.available + excluded.available
RETURNING available, reserved`;

/** $1 sku, $2 quantity. No row: no such sku, or not enough of it. */
export const RESERVE = `
UPDATE stock SET available = available - $2, reserved = reserved + $2
 WHERE sku = $1 AND available >= $2
RETURNING available, reserved`;

/** $1 sku, $2 quantity. No row: no such sku, or not that much reserved. */
export const RELEASE = `
UPDATE stock SET available = available + $2, reserved = reserved - $2
 WHERE sku = $1 AND reserved >= $2
RETURNING available, reserved`;

/** $1 sku. */
export const LEVEL = 'SELECT available, reserved FROM stock WHERE sku = $1';

export const BEGIN = 'BEGIN';
export const COMMIT = 'COMMIT';

/** "stock" as a number: one instance makes the table, the others wait. */
export const LOCK_MIGRATIONS = 'SELECT pg_advisory_xact_lock(496002360171)';
export const CREATE_STOCK = `
CREATE TABLE IF NOT EXISTS stock (
  sku text PRIMARY KEY,
  available int NOT NULL CONSTRAINT stock_never_negative CHECK (available >= 0),
  reserved int NOT NULL DEFAULT 0 CONSTRAINT reserved_never_negative CHECK (reserved >= 0)
)`;
