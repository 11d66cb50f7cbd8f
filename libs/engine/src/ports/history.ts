/**
 * What was noted of a transaction while it lived: which branches it had, and whose. Read when a
 * participant reports something of a branch that the register does not name. Decides nothing: notes
 * may be lost, and whoever finds none concludes nothing from that.
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
}
