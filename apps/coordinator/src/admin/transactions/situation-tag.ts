/** The entity tag of a transaction. Guards "If-Match on every mutation": what was seen is what is acted on. */
import type { Situation } from '@concordat/diagnosis';
import { tagOf } from '../if-match.js';

/**
 * What `If-Match` must carry: it changes with everything that may change which actions are right (status, decision,
 * votes, outcomes), and not with another attempt that brought nothing.
 */
export function etagOf({ known, isForgotten }: Situation): string {
  const { status, decision, outcome, endedAtMs, resolved, branches } = known;
  const parts = branches.map((one) => [one.branch, one.vote?.kind, one.outcome?.kind]);
  const told = [status, decision, outcome, endedAtMs !== undefined, resolved?.atMs, parts];
  return tagOf([known.transaction, isForgotten === true, ...told]);
}
