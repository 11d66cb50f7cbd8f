/**
 * Recovery as pure functions over named sets. Guards protocol §5: a coordinator finishes decided
 * transactions whose owner is not alive; a participant asks about every branch it finds prepared; an
 * inquiry is answered from the register, from a live owner, or by recording an abort. Nothing
 * here reads a clock: ages are arguments.
 */
import type { Decision } from './decision.js';
import { parseGid, type ClusterId, type GidParts, type Incarnation } from './identity.js';

/** A prepared transaction as a participant's database lists it. */
export interface PreparedEntry {
  readonly gid: string;
  /** How long the database has seen it prepared, in milliseconds of that database's clock. */
  readonly ageMs: number;
}

/**
 * The prepared branches that a participant must inquire about: its own cluster's, older than the
 * grace in which the usual round two is still expected, and not being finished here right now.
 */
export function branchesToInquire(
  prepared: readonly PreparedEntry[],
  options: {
    readonly cluster: ClusterId;
    readonly graceMs: number;
    readonly busy: ReadonlySet<string>;
  },
): GidParts[] {
  const found: GidParts[] = [];
  for (const entry of prepared) {
    const parts = parseGid(entry.gid);
    if (!parts || parts.cluster !== options.cluster) continue; // Foreign: never touched.
    if (entry.ageMs < options.graceMs || options.busy.has(entry.gid)) continue;
    found.push(parts);
  }
  return found;
}

/** What is known when an inquiry about a transaction comes. */
export interface InquiryFacts {
  /** What the register holds, if anything. */
  readonly standing: Decision | undefined;
  /** What the owner says of it; `gone` when the owner does not answer or does not know it. */
  readonly owner: 'live' | 'gone';
}

/** What to do about an inquiry: answer, ask again later, or record an abort and answer that. */
export type InquiryVerdict =
  | { readonly kind: 'tell'; readonly decision: Decision }
  | { readonly kind: 'undecided' }
  | { readonly kind: 'propose-abort' };

/**
 * Protocol §5, in this order: the register, then the owner, then an abort by the register's
 * compare-and-set. `propose-abort` never assumes that the abort wins: the answer is what is on record.
 */
export function judgeInquiry(facts: InquiryFacts): InquiryVerdict {
  if (facts.standing) return { kind: 'tell', decision: facts.standing };
  if (facts.owner === 'live') return { kind: 'undecided' };
  return { kind: 'propose-abort' };
}

/** Of the finishers that have commits on record to finish, those whose work may be claimed. */
export function finishersToTakeOver(
  finishers: readonly Incarnation[],
  alive: ReadonlySet<Incarnation>,
): Incarnation[] {
  return finishers.filter((one) => !alive.has(one));
}
