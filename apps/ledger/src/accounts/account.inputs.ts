/**
 * What the operations take: checked before a branch begins, so that nonsense never opens a database
 * transaction. Amounts are integers in minor units.
 */
import { z } from 'zod';

/** The largest amount and balance: what a JSON number carries exactly. */
export const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

const AccountId = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'use letters, digits, ".", "_", ":" and "-"');
const Amount = z.int().min(1).max(AMOUNT_MAX);

export const OpenInput = z.strictObject({
  account: AccountId,
  /** What the account begins with; it may be nothing. */
  amount: z.int().min(0).max(AMOUNT_MAX),
});
export type OpenInput = z.infer<typeof OpenInput>;

export const MoveInput = z.strictObject({ account: AccountId, amount: Amount });
export type MoveInput = z.infer<typeof MoveInput>;

export const BalanceInput = z.strictObject({ account: AccountId });
export type BalanceInput = z.infer<typeof BalanceInput>;

/** Bodies of direct calls: the account is in the address. */
export const OpenBody = OpenInput.omit({ account: true });
export const MoveBody = MoveInput.omit({ account: true });
export const AccountParam = AccountId;
