/**
 * An outcome: what happened to a branch, and so to a transaction. Guards protocol §6: a branch that
 * was finished without or against the decision is heuristic, with its evidence, never plain.
 */
import type { BranchId, ParticipantName } from './identity.js';
import type { Decision } from './decision.js';

export type BranchOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'heuristic'; readonly evidence: HeuristicEvidence };

/** What a participant found instead of what the decision demands. */
export interface HeuristicEvidence {
  /** The decision that was to be carried out; of what its participant decides in one phase, what it was asked for. */
  readonly decision: Decision;
  /**
   * `rolled-back`: a tombstone where a commit was decided · `missing`: neither a prepared transaction nor an
   * outcome row, so its work is not there: rolled back manually, lost by a failover or absent from a restored
   * backup · `committed`: a committed outcome row where an abort was decided · `unknown`: the participant
   * does not know.
   */
  readonly found: 'rolled-back' | 'missing' | 'committed' | 'unknown';
  /** One sentence for the operator: what was asked, what was seen. */
  readonly explanation: string;
}

/** Whether what was found contradicts the decision, or may: anything else is no evidence of a heuristic. */
export function isContradiction({
  decision,
  found,
}: Pick<HeuristicEvidence, 'decision' | 'found'>): boolean {
  if (found === 'unknown') return true;
  return (found === 'committed') === (decision === 'abort');
}

/**
 * What an acknowledgement says against the decision, if anything: a participant that did the opposite
 * has finished the branch against it, whatever its answer calls that.
 */
export function evidenceAgainst(
  decision: Decision,
  outcome: BranchOutcome,
): HeuristicEvidence | undefined {
  if (outcome.kind === 'heuristic') return outcome.evidence;
  const due = decision === 'commit' ? 'committed' : 'aborted';
  if (outcome.kind === due) return undefined;
  const found = outcome.kind === 'committed' ? 'committed' : 'rolled-back';
  const explanation = `The decision is ${decision}; the participant answered ${outcome.kind}.`;
  return { decision, found, explanation };
}

/**
 * What there is to say of a transaction in one phase whose participant does not know any more what it decided.
 * `reason`: what the participant answered.
 */
export function forgottenEvidence(participant: ParticipantName, reason: string): HeuristicEvidence {
  const explanation = `${participant}, which decides it alone, was asked for an abort and answered: ${reason}. Whether it has committed is not known.`;
  return { decision: 'abort', found: 'unknown', explanation };
}

/** A branch with a heuristic outcome, as it is recorded. */
export interface HeuristicBranch {
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  readonly evidence: HeuristicEvidence;
}

/**
 * `mixed`: known to disagree with the decision in at least one branch · `hazard`: cannot be known.
 */
export type TransactionOutcome = 'committed' | 'aborted' | 'heuristic-mixed' | 'heuristic-hazard';

/** The outcome of a transaction whose every branch has reported. */
export function transactionOutcome(
  decision: Decision,
  heuristics: readonly HeuristicBranch[],
): TransactionOutcome {
  if (heuristics.length === 0) return decision === 'commit' ? 'committed' : 'aborted';
  return heuristics.some((one) => one.evidence.found !== 'unknown')
    ? 'heuristic-mixed'
    : 'heuristic-hazard';
}
