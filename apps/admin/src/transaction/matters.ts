/**
 * Which branches of many are shown first. Guards "what needs attention is in sight": those that disagree,
 * then those that are waited for, then those that refused; the others need nothing.
 */
import type { BranchState } from '@concordat/client';

/** As many as these are shown without asking. */
export const BRANCHES_SHOWN = 8;

/** At most so many of the branches, in their own order. */
export function thatMatter<Branch extends BranchState>(
  branches: readonly Branch[],
  most: number,
): readonly Branch[] {
  const byNeed = branches
    .map((branch, at) => ({ branch, at, rank: rankOf(branch) }))
    .sort((a, b) => a.rank - b.rank || a.at - b.at);
  return byNeed
    .slice(0, most)
    .sort((a, b) => a.at - b.at)
    .map(({ branch }) => branch);
}

function rankOf({ vote, outcome, lastError }: BranchState): number {
  if (outcome?.kind === 'heuristic') return 0;
  if (vote?.kind === 'no') return 1;
  if (!outcome && vote?.kind !== 'read-only') return lastError ? 2 : 3;
  return 4;
}
