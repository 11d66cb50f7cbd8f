/** What the operations take, checked before a branch begins. Quantities are whole pieces. */
import { z } from 'zod';

export const Sku = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'use letters, digits, ".", "_", ":" and "-"');
const Quantity = z.int().min(1).max(1_000_000_000);

export const MoveInput = z.strictObject({ sku: Sku, quantity: Quantity });
export type MoveInput = z.infer<typeof MoveInput>;

export const LevelInput = z.strictObject({ sku: Sku });
export type LevelInput = z.infer<typeof LevelInput>;

/** Bodies of direct calls: the sku is in the address. */
export const MoveBody = MoveInput.omit({ sku: true });
