/**
 * A transaction as far as this coordinator knows it, from any source: its memory, or the decision database,
 * where the register's row corrects the journal's. Guards "nothing is claimed that is not known": what is
 * missing stays absent instead of being invented.
 */
import type { Status } from '@concordat/api';
import type { TransactionRecord, TransactionSummary } from '@concordat/decision-log';
import type { AttemptFacts, TransactionView } from '@concordat/engine';
import { madeAtMs, ownerOf, type Incarnation, type TransactionId } from '@concordat/protocol';

/** How an operator settled a heuristic outcome. */
export interface Resolution {
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
}

export interface KnownTransaction extends Omit<
  TransactionView,
  'principal' | 'timeoutMs' | 'status' | 'takenOver'
> {
  readonly status: Status;
  /** Whose it is, where that is on record. */
  readonly principal?: string;
  readonly timeoutMs?: number;
  readonly resolved?: Resolution;
  /** Which coordinator finishes a commit, as the register says. */
  readonly finisher?: Incarnation;
}

/**
 * How many transactions have tried its request so far, this one included; undefined where its beginning is not
 * known here.
 */
export function attemptsOf({ attempt, timeline }: KnownTransaction): number | undefined {
  if (attempt) return attempt.number;
  const begun = timeline.find((one) => one.type === 'begun');
  if (!begun) return undefined;
  const noted = begun.detail?.['attempt'] as AttemptFacts | undefined;
  return noted?.number ?? 1;
}

/** Whether nothing about it will change any more. */
export function hasEnded(known: KnownTransaction): boolean {
  return known.endedAtMs !== undefined;
}

/** What the decision database holds of a transaction. */
export function fromRecord(record: TransactionRecord | TransactionSummary): KnownTransaction {
  const { timeoutMs, heuristics, ...view } = record;
  const isJournaled = timeoutMs > 0; // A transaction always has one; the register keeps none.
  const resolution = heuristics.every((one) => one.resolution)
    ? heuristics.at(-1)?.resolution
    : undefined;
  return {
    ...view,
    timeline: 'timeline' in record ? record.timeline : [],
    ...(isJournaled ? { timeoutMs } : {}),
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

/** A transaction that is live at another coordinator and not journaled yet. */
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

/** The outputs that were stored with a commit under an idempotency key, where the journal has none. */
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
