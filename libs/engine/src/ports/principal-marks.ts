/**
 * Marks in transaction ids that say whose a transaction is: where nothing is on record of it, its owner is
 * dead and an inquiry comes, the id itself is the witness. They decide which client may look and act, never
 * what becomes of a transaction: a lost secret hides transactions from their clients and leaves none in
 * doubt.
 */
import type { TransactionId } from '@concordat/protocol';

export abstract class PrincipalMarks {
  /** The same id, marked as the principal's. */
  abstract mark(id: TransactionId, principal: string): TransactionId;
  /** Whether a coordinator of this cluster made the id for the principal. */
  abstract isMarked(id: TransactionId, principal: string): boolean;
}
