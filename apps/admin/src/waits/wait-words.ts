/**
 * Waits for locks in words. Guards "a missing answer is no answer": what is not reported is called not known.
 */
import type { BranchWaits, LockHolder } from '@concordat/client';
import { sessionWords } from '@concordat/words';

/** A session that belongs to no transaction of ours: `session pid 12 of application psql, user alice`. */
export function otherWords(holder: LockHolder): string {
  if (holder.kind !== 'prepared') return sessionWords(holder);
  return `prepared transaction ${holder.gid ?? ''}, none of this cluster`;
}

/** Undefined where it is known, or where the branch has voted and waits for no lock. */
export function notKnownWords(told: BranchWaits | undefined): string | undefined {
  return told && !told.known ? 'Whether it waits for a lock is not known.' : undefined;
}
