/**
 * From this coordinator's memory, and from the decision database, where the register's row corrects the
 * history's, to what is known of a transaction.
 */
import type { KnownTransaction } from '@concordat/diagnosis';
import type { TransactionRecord, TransactionSummary } from '@concordat/decision-log';
import type { TransactionView } from '@concordat/engine';
import { madeAtMs, ownerOf, type TransactionId } from '@concordat/protocol';

/** What the decision database holds of a transaction. */
export function fromRecord(record: TransactionRecord | TransactionSummary): KnownTransaction {
  const { timeoutMs, heuristics, ...view } = record;
  const isInHistory = timeoutMs > 0; // A transaction always has one; the register keeps none.
  const resolution = heuristics.every((one) => one.resolution)
    ? heuristics.at(-1)?.resolution
    : undefined;
  return {
    ...view,
    timeline: 'timeline' in record ? record.timeline : [],
    ...(isInHistory ? { timeoutMs } : {}),
    ...(resolution ? { resolved: resolution } : {}),
  };
}

/** What this coordinator does with a transaction it took over, after what is recorded of it. */
export function takenOver(live: TransactionView, recorded: KnownTransaction): KnownTransaction {
  const { transaction, status, decision, outcome, endedAtMs } = live;
  return {
    ...recorded,
    transaction,
    status,
    decision,
    outcome,
    endedAtMs,
    branches: live.branches.map((branch) => {
      const before = recorded.branches.find((one) => one.branch === branch.branch);
      return before ? { ...before, ...branch, operations: before.operations } : branch;
    }),
    version: recorded.version + live.version,
  };
}

/** The same, when nothing is recorded of what its owner did before. */
export function takenOverUnrecorded(live: TransactionView): KnownTransaction {
  const owner = ownerOf(live.transaction);
  return { ...live, owner, timeoutMs: undefined };
}

/** A transaction that is live at another coordinator and not in the history yet. */
export function liveElsewhere(transaction: TransactionId, principal?: string): KnownTransaction {
  return {
    transaction,
    ...(principal === undefined ? {} : { principal }),
    owner: ownerOf(transaction),
    status: 'undecided',
    begunAtMs: madeAtMs(transaction),
    branches: [],
    timeline: [],
    version: 0,
  };
}

/** The outputs that were stored with a commit under an idempotency key, where the history has none. */
export function withStoredOutputs(known: KnownTransaction, answer: unknown): KnownTransaction {
  if (answer === null || typeof answer !== 'object') return known;
  const stored = new Map(Object.entries(answer));
  const branches = known.branches.map((branch) => {
    const outputs: unknown = stored.get(branch.participant);
    const isMissing = branch.outputs === undefined && Array.isArray(outputs) && outputs.length > 0;
    return isMissing ? { ...branch, outputs: outputs as readonly unknown[] } : branch;
  });
  return { ...known, branches };
}
