/**
 * Whether a heuristic outcome that a participant reports is believed, as a pure function of what was found
 * when looking. Guards protocol §6 and §8: a heuristic outcome is kept permanently and shown to the client,
 * so a report counts only for a branch that belongs to the reporter as far as is known here, and only against
 * the decision on record for that branch.
 *
 * An abort that an inquiry recorded names no branches, and its owner may have died before anything was noted.
 * For such a transaction nothing contradicts a participant. It is believed, because otherwise a branch that
 * was committed manually would stay hidden. A participant that lies here must have learned the id, which has
 * 74 random bits, or have invented it and inquired, which its quota bounds.
 */
import {
  isContradiction,
  type BranchId,
  type Decision,
  type HeuristicBranch,
} from '@concordat/protocol';
import type { DisbeliefCode } from './not-believed.js';
import type { HeuristicReport, NamedBranch } from './ports/index.js';

/** What is known of a reported transaction, with a decision standing or certain. */
export interface KnownOfReport {
  readonly decision: Decision;
  /** The branches of a commit; empty for an abort. */
  readonly committing: readonly { readonly branch: BranchId }[];
  /** Every branch of which it is known whose it is: by the commit, the history or the live owner. */
  readonly named: readonly NamedBranch[];
  /** Whether these are all branches that the transaction has. */
  readonly isComplete: boolean;
  readonly recorded: readonly HeuristicBranch[];
}

export type ReportVerdict =
  | { readonly kind: 'record' }
  /** The evidence is durable already. */
  | { readonly kind: 'recorded' }
  | { readonly kind: 'not-believed'; readonly code: DisbeliefCode; readonly why: string }
  /** Whose the branch is cannot be found out now. */
  | { readonly kind: 'try-again'; readonly why: string };

export function judgeReport(report: HeuristicReport, known: KnownOfReport): ReportVerdict {
  const { branch, participant, evidence } = report;
  const named = known.named.filter((one) => one.branch === branch);
  const isOwn = named.some((one) => one.participant === participant);
  if (named.length > 0 && !isOwn) {
    return disbelief('wrong-participant', `branch ${branch} is not ${participant}'s`);
  }
  const recorded = known.recorded.find((one) => one.branch === branch);
  if (recorded?.participant === participant) return { kind: 'recorded' };
  if (recorded) {
    return disbelief(
      'wrong-participant',
      `branch ${branch} is recorded as ${recorded.participant}'s`,
    );
  }
  const isCommitting = known.committing.some((one) => one.branch === branch);
  const due: Decision = known.decision === 'commit' && isCommitting ? 'commit' : 'abort';
  if (!isContradiction(evidence) || evidence.decision !== due) {
    const said = `${evidence.found}, where the decision was ${evidence.decision}`;
    return disbelief(
      'no-contradiction',
      `the decision for branch ${branch} is ${due}, not: ${said}`,
    );
  }
  if (isOwn) return { kind: 'record' };
  if (known.isComplete) {
    return disbelief('unknown-branch', `the transaction has no branch ${branch} of ${participant}`);
  }
  if (known.decision === 'abort') return { kind: 'record' };
  const why = `whether branch ${branch} is ${participant}'s is not on record; report it again later`;
  return { kind: 'try-again', why };
}

function disbelief(code: DisbeliefCode, why: string): ReportVerdict {
  return { kind: 'not-believed', code, why };
}
