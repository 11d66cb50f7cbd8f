/**
 * A decision: what the coordinator fixes for a transaction, at most one, permanently, and why it was
 * an abort. Guards protocol §3: a commit exists only in the register; an abort may be presumed.
 */
import type { BranchId, ParticipantName, TransactionId } from './identity.js';
import { WORTH_ANOTHER_TRY, type VoteAgainst } from './vote.js';

export type Decision = 'commit' | 'abort';

/** Why a transaction aborted. `undetermined` when another process's abort was found in the register. */
export type AbortCause =
  | {
      readonly kind: 'vote';
      readonly branch: BranchId;
      readonly participant: ParticipantName;
      readonly vote: VoteAgainst;
    }
  | {
      readonly kind: 'unreachable';
      readonly branch: BranchId;
      readonly participant: ParticipantName;
    }
  | { readonly kind: 'deadline'; readonly missing: readonly ParticipantName[] }
  | { readonly kind: 'rollback-requested'; readonly reason: string }
  | {
      readonly kind: 'doubtful-work';
      readonly branch: BranchId;
      readonly participant: ParticipantName;
      readonly reason: string;
    }
  /** Its owner gave it up before the deadline, knowing nothing of this branch's vote. */
  | {
      readonly kind: 'given-up';
      readonly branch: BranchId;
      readonly participant: ParticipantName;
      readonly reason: string;
    }
  | { readonly kind: 'idempotency-key'; readonly winner: TransactionId }
  | { readonly kind: 'operator'; readonly reason: string }
  | { readonly kind: 'undetermined' };

/** Whether the same work, begun again at once under a new id, may well commit. Never true of silence. */
export function isWorthAnotherTry(cause: AbortCause): boolean {
  return cause.kind === 'vote' && cause.vote.retryable && WORTH_ANOTHER_TRY.has(cause.vote.code);
}
