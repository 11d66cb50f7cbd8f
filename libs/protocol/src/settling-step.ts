/**
 * One phase, undecided: the vote of the only branch does not show whether it has committed, so its participant is
 * asked for a tombstone until it answers which of the two rows is there. Guards protocol §4.6: only that answer, or
 * the vote `committed` itself, decides such a transaction; silence never does. One that its participant has forgotten
 * ends as what it is, not known, with evidence for an operator: it is no commit and no abort.
 */
import { forgottenEvidence } from './outcome.js';
import type { TransactionEvent, TransactionStep } from './transaction.js';
import {
  askAgain,
  end,
  impossible,
  known,
  retryLater,
  stay,
  type In,
} from './transaction-steps.js';

export function stepSettling(state: In<'settling'>, event: TransactionEvent): TransactionStep {
  const { branches, branch, cause } = state;
  const open = new Set([branch]);
  switch (event.type) {
    case 'acknowledged':
      if (event.branch !== branch) return stay(state);
      // The row that was there first is the decision: its outcome row, or the tombstone.
      if (event.outcome.kind === 'committed') return end(branches, 'commit', undefined, [], []);
      if (event.outcome.kind === 'aborted') return end(branches, 'abort', cause, [], []);
      return retryLater(state, open, branch); // Neither of the two.
    case 'voted':
      // A late vote committed is proof; no other vote shows anything.
      if (event.branch !== branch || event.vote.kind !== 'committed') return stay(state);
      return end(branches, 'commit', undefined, [], []);
    case 'unanswered':
      return retryLater(state, open, event.branch);
    case 'forgotten':
      return event.branch === branch ? endUnknown(state, event.reason) : stay(state);
    case 'retry-due':
      return askAgain(state, 'settle', branches, open, event.branch);
    case 'unreached': // A second copy of the prepare reached no instance.
    case 'deadline-passed': // It fired in the same moment.
    case 'rollback-requested': // That is what is being asked for.
    case 'prepare-requested': // The client repeats its commit, and gets the decision.
      return stay(state);
    case 'enlisted':
    case 'decided':
    case 'notification-over':
      return impossible(state, event);
  }
}

/**
 * No later answer will say more. Crash before the evidence is durable: what is noted of it is settled behind its dead
 * owner, which asks the same participant and records the same.
 */
function endUnknown({ branches, branch }: In<'settling'>, reason: string): TransactionStep {
  const { participant } = known(branches, branch);
  const heuristic = { branch, participant, evidence: forgottenEvidence(participant, reason) };
  return {
    state: {
      phase: 'ended',
      branches,
      outcome: 'heuristic-hazard',
      heuristics: [heuristic],
      silent: [],
    },
    records: [{ type: 'heuristic', durability: 'forced', decision: 'abort', branch: heuristic }],
    messages: [],
    timers: [{ type: 'cancel-deadline' }],
  };
}
