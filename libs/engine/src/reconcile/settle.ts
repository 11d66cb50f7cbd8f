/**
 * What is done about a branch that is committed at its participant and not committed here: the abort
 * is made to stand, and the branch is recorded as heuristic. Guards protocol §6, and "an owner that
 * lives decides for itself": while it may, nothing is concluded.
 *
 * Why such a row proves a hand: a decision stands durably before any COMMIT PREPARED of the protocol,
 * and this question is asked after the row was read. Crash windows:
 * - after the abort was made to stand, before the evidence is recorded: the row stays, and the scan's
 *   place is moved only afterwards, so the next pass meets it again and finds the abort.
 * - after the evidence, before the place is moved: the row is met again; evidence is kept once.
 */
import type { ParticipantName } from '@concordat/protocol';
import { RegisterUnknown, type OutcomeKey } from '../ports/index.js';
import type { TransactionManager } from '../transaction-manager.js';

/** `fine`: commit stands after all, or nobody can tell any more · `later`: look again. */
export type Settled = 'recorded' | 'fine' | 'later';

export async function settleCommitted(
  manager: TransactionManager,
  { transaction, branch }: OutcomeKey,
  participant: ParticipantName,
): Promise<Settled> {
  const answer = await manager.inquire({ transaction, branch, participant });
  if (answer.kind === 'forgotten') return 'fine';
  if (answer.kind === 'undecided') return 'later';
  if (answer.decision === 'commit') return 'fine';
  const evidence = {
    decision: 'abort',
    found: 'committed',
    explanation: `The outcome row of branch ${branch} of ${transaction} is committed at ${participant}, though no commit of it was decided: it was committed by hand, or its decision was lost.`,
  } as const;
  try {
    await manager.recordReported({ transaction, branch, participant, evidence });
    return 'recorded';
  } catch (error) {
    if (error instanceof RegisterUnknown) return 'later';
    throw error;
  }
}
