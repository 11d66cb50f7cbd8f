/**
 * What a branch waits for, and whether that is known. Guards "a missing answer is no 'it waits for nothing'":
 * only a participant that reports all waits in its database can say that a branch waits for none.
 */
import type { BranchView } from '@concordat/engine';
import { hasEnded, type KnownTransaction } from '../known-transaction.js';
import type { ParticipantSeen } from '../participant-seen.js';
import type { PictureWait, WaitPicture } from './wait-picture.js';

export interface BranchWaits {
  readonly isKnown: boolean;
  readonly asOfMs?: number;
  readonly waits: readonly PictureWait[];
}

/** Undefined of a branch that waits for no lock any more: it has voted, or its transaction is decided. */
export function branchWaits(
  known: KnownTransaction,
  { branch, vote }: BranchView,
  picture: WaitPicture,
  there: ParticipantSeen | undefined,
): BranchWaits | undefined {
  if (!mayWait(known) || vote) return undefined;
  const waits = picture.ofBranch(known.transaction, branch);
  if (waits.length > 0) {
    return { isKnown: true, asOfMs: Math.max(...waits.map((one) => one.heardAtMs)), waits };
  }
  const tellsAll = there?.lockWaits?.truncated === false;
  const asOfMs = there?.lastSeenAtMs;
  return { isKnown: tellsAll, ...(tellsAll && asOfMs !== undefined ? { asOfMs } : {}), waits };
}

/** A branch that waits for a lock has not voted, so nothing can be decided. */
export function mayWait(known: KnownTransaction): boolean {
  return known.decision === undefined && !hasEnded(known);
}
