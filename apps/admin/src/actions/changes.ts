/**
 * What has changed between what somebody saw and what is, in sentences. Guards "ask again with what
 * changed": after a 412 no user confirms a thing that was not read.
 */
import type { AdminTransaction } from '@concordat/client';

export function changesBetween(before: AdminTransaction, after: AdminTransaction): string[] {
  const changes: string[] = [];
  const [was, is] = [before.transaction, after.transaction];
  if (was.decision !== is.decision) {
    changes.push(is.decision ? `It is decided now: ${is.decision}.` : 'It is not decided now.');
  }
  if (was.status !== is.status) changes.push(`It was ${was.status}, and is ${is.status}.`);
  for (const branch of after.branches) {
    const old = before.branches.find((one) => one.branch === branch.branch);
    const who = branch.participant;
    if (!old) {
      changes.push(`${who} takes part now.`);
      continue;
    }
    if (old.vote?.kind !== branch.vote?.kind) {
      changes.push(`${who} has voted: ${branch.vote?.kind ?? 'unknown'}.`);
    }
    if (old.outcome?.kind !== branch.outcome?.kind) {
      changes.push(`${who} is ${branch.outcome?.kind ?? 'without an outcome'} now.`);
    }
    if (old.attempts !== branch.attempts) {
      changes.push(
        `${who} was tried again: ${branch.attempts} attempts instead of ${old.attempts}.`,
      );
    }
  }
  if (was.resolved === undefined && is.resolved) {
    changes.push(`${is.resolved.by} has acknowledged it: ${is.resolved.reason}.`);
  }
  return changes.length > 0
    ? changes
    : ['Something about it has changed that this page does not show.'];
}
