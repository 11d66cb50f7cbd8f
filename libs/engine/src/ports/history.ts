/**
 * What was noted of a transaction while it was live: which branches it had, and whose. Read when a
 * participant reports something about a branch that the register does not name. Decides nothing: notes may be
 * lost, so missing notes prove nothing.
 */
import type { BranchId, ParticipantName, TransactionId } from '@concordat/protocol';

/** A branch, and whose it is. */
export interface NamedBranch {
  readonly branch: BranchId;
  readonly participant: ParticipantName;
}

export interface TransactionStory {
  readonly branches: readonly NamedBranch[];
  /** Noted by the owner when no branch could join any more: there are no others. */
  readonly isComplete: boolean;
}

export abstract class TransactionHistory {
  /** The story of a transaction, or undefined. Rejects with `RegisterUnknown` when it cannot be read. */
  abstract storyOf(transaction: TransactionId): Promise<TransactionStory | undefined>;
  /**
   * Of these transactions, those whose end is not durably on record: it was never written, or a database that
   * crashed has lost it. The end of every other one survives a crash from now on. Rejects with
   * `RegisterUnknown`.
   */
  abstract withoutEnd(transactions: readonly TransactionId[]): Promise<readonly TransactionId[]>;
}
