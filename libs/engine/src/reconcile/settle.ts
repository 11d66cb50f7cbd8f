/**
 * What happens to a branch that is committed at its participant and not committed here: the abort is
 * recorded, and the branch is recorded as heuristic. Guards protocol §6, and "an owner that lives decides for
 * itself": while it may live, nothing is concluded. An outcome row is the participant's claim like any report
 * (§8): it is believed for its own branches, and only so many at a time.
 *
 * Why such a row proves a manual change: a decision is durable before any COMMIT PREPARED of the protocol,
 * and this question is asked after the row was read. Crash windows:
 * - after the abort was recorded, before the evidence is recorded: the row stays, and the scan's position
 *   moves only afterwards, so the next pass meets it again and finds the abort.
 * - after the evidence, before the place is moved: the row is met again; evidence is kept once.
 */
import type { ParticipantName } from '@concordat/protocol';
import { NotBelieved } from '../not-believed.js';
import { RegisterUnknown, type OutcomeKey } from '../ports/index.js';
import { Refusal } from '../refusal.js';
import type { TransactionManager } from '../transaction-manager.js';

/**
 * `fine`: a commit is on record after all, or the decision is no longer known · `later`: look again ·
 * `disbelieved`: by what is on record it is no branch of this participant.
 */
export type Settled = 'recorded' | 'fine' | 'later' | 'disbelieved';

/** `byOperator`: an operator was shown the row and said so; nothing else is asked. */
export async function settleCommitted(
  manager: TransactionManager,
  { transaction, branch }: OutcomeKey,
  participant: ParticipantName,
  { byOperator = false }: { readonly byOperator?: boolean } = {},
): Promise<Settled> {
  try {
    const asker = byOperator ? {} : { asker: { participant } };
    const answer = await manager.inquire({ transaction, branch, participant, ...asker });
    if (answer.kind === 'forgotten') return 'fine';
    if (answer.kind === 'undecided') return 'later';
    if (answer.decision === 'commit') return 'fine';
    const evidence = {
      decision: 'abort',
      found: 'committed',
      explanation: `The outcome row of branch ${branch} of ${transaction} is committed at ${participant}, though no commit of it was decided: it was committed manually, or its decision was lost.`,
    } as const;
    const found = { transaction, branch, participant, evidence };
    if (byOperator) await manager.recordFound(found);
    else await manager.recordReported(found);
    return 'recorded';
  } catch (error) {
    if (error instanceof RegisterUnknown || error instanceof Refusal) return 'later';
    if (error instanceof NotBelieved) return 'disbelieved';
    throw error;
  }
}
