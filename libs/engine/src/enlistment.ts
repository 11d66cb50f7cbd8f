/**
 * How a service that is called directly with a transaction context joins: before it does any work. Guards
 * "one branch per participant and transaction": it lives on one instance, and calls go there.
 */
import type { BranchMemory, LiveTransaction } from './live-transaction.js';
import type { Enlistment, EnlistmentAnswer } from './ports/index.js';
import type { TransactionManagerOptions } from './transaction-options.js';

/** Answers an enlistment in this transaction, if it is live here. Calls `enlisted` for a new branch. */
export function enlist(
  live: LiveTransaction | undefined,
  { participant, instance }: Enlistment,
  { branchesMax, idleLeaseMs }: Pick<TransactionManagerOptions, 'branchesMax' | 'idleLeaseMs'>,
  enlisted: (memory: BranchMemory) => void,
): EnlistmentAnswer {
  if (!live) {
    return refused('unknown-transaction', 'It is not live here: it has ended, or never began.');
  }
  if (live.state.phase !== 'active') {
    return refused('not-active', `It is ${live.status()}: no branch can join any more.`);
  }
  let memory = live.branchOf(participant);
  const rejoined = memory !== undefined;
  if (memory && memory.instance !== instance) {
    const reason = `The branch of ${participant} lives on another instance: send this call there.`;
    return refused('branch-elsewhere', reason);
  }
  if (!memory) {
    if (live.memory.size >= branchesMax) {
      return refused('too-many-branches', `At most ${branchesMax} branches.`);
    }
    memory = live.remember(participant, 'open', { instance });
    memory.calls = 1; // The join counts as the first call.
    enlisted(memory);
  }
  const { branch } = memory;
  return { kind: 'enlisted', branch, timeLeftMs: live.timeLeftMs(), idleLeaseMs, rejoined };
}

function refused(code: string, reason: string): EnlistmentAnswer {
  return { kind: 'refused', code, reason };
}
