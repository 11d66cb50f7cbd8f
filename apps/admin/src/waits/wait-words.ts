/**
 * Waits for locks in words. Guards "a missing answer is no answer": what is not reported is called not known.
 */
import type { BranchWaits, LockHolder, LockWait } from '@concordat/client';

/** `row (0,7) of account`. */
export function thingWords({ kind, relation, row }: LockWait['for']): string {
  if (kind === 'advisory') return 'an advisory lock';
  if (relation === undefined) return kind === 'transactionid' ? 'a row' : `a lock (${kind})`;
  if (kind === 'relation') return `table ${relation}`;
  return `${row === undefined ? 'a row' : `row ${row}`} of ${relation}`;
}

/** A session that belongs to no transaction of ours: `session pid 12 of application psql, user alice`. */
export function otherWords({ kind, pid, application, user, gid }: LockHolder): string {
  if (kind === 'prepared') return `prepared transaction ${gid ?? ''}, none of this cluster`;
  const of = application === undefined ? '' : ` of application ${application}`;
  return `session pid ${pid ?? 'not known'}${of}${user === undefined ? '' : `, user ${user}`}`;
}

/** Undefined where it is known, or where the branch has voted and waits for no lock. */
export function notKnownWords(told: BranchWaits | undefined): string | undefined {
  return told && !told.known ? 'Whether it waits for a lock is not known.' : undefined;
}
