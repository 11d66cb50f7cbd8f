/** How a transaction is, in one word, as far as this coordinator knows. */
import { z } from 'zod';

/** At most one per transaction, and never changed. */
export const Decision = z.enum(['commit', 'abort']);
export type Decision = z.infer<typeof Decision>;

export const STATUSES = [
  'active',
  'preparing',
  'deciding',
  'committing',
  'aborting',
  'committed',
  'aborted',
  'heuristic-mixed',
  'heuristic-hazard',
] as const;

/** `undecided`: live at another coordinator, which has not in the history it yet. */
export const Status = z.enum([...STATUSES, 'undecided']).meta({ id: 'TransactionStatus' });
export type Status = z.infer<typeof Status>;
