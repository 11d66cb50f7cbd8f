/**
 * One phase, undecided: the vote of the only branch does not show whether it has committed, so its participant is
 * asked for a tombstone until it answers which of the two rows is there. Guards protocol §4.6: only that answer, or
 * the vote `committed` itself, ends such a transaction; silence never does.
 */
import type { TransactionEvent, TransactionStep } from './transaction.js';
import { askAgain, end, impossible, retryLater, stay, type In } from './transaction-steps.js';

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
