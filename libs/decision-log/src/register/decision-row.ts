/** A row of the register as the port speaks of it. Nothing here reads or writes. */
import type { StandingDecision } from '@concordat/engine';
import {
  transactionOutcome,
  type Decision,
  type Enlisted,
  type HeuristicBranch,
  type Incarnation,
  type TransactionId,
  type TransactionOutcome,
} from '@concordat/protocol';

/** A branch of a row: nearly all are bundled, so that is said only of those that are not. */
export interface StoredBranch extends Pick<Enlisted, 'branch' | 'participant'> {
  readonly work?: Enlisted['work'];
}

export function storedOf(branches: readonly Enlisted[]): StoredBranch[] {
  return branches.map(({ branch, participant, work }) =>
    work === 'bundled' ? { branch, participant } : { branch, participant, work },
  );
}

export function enlistedOf(stored: readonly StoredBranch[]): Enlisted[] {
  return stored.map(({ branch, participant, work = 'bundled' }) => ({ branch, participant, work }));
}

export interface DecisionRow {
  readonly transaction: TransactionId;
  readonly decision: Decision;
  readonly finisher: Incarnation;
  readonly principal: string | null;
  readonly branches: readonly StoredBranch[];
  readonly idempotency_key: string | null;
  readonly fingerprint: string | null;
  readonly answer: unknown;
  readonly trace: Readonly<Record<string, string>> | null;
  readonly decided_at_ms: number;
  readonly ended_at_ms: number | null;
  readonly outcome: TransactionOutcome | null;
  readonly heuristics: readonly HeuristicBranch[] | null;
}

export function standingOf(row: DecisionRow): StandingDecision {
  const heuristics = row.heuristics ?? [];
  const { idempotency_key: key, fingerprint } = row;
  return {
    transaction: row.transaction,
    decision: row.decision,
    branches: enlistedOf(row.branches),
    finisher: row.finisher,
    ...(row.principal !== null ? { principal: row.principal } : {}),
    ...(row.trace ? { trace: row.trace } : {}),
    decidedAtMs: Math.round(row.decided_at_ms),
    ...(row.ended_at_ms !== null ? { endedAtMs: Math.round(row.ended_at_ms) } : {}),
    ...(row.outcome ? { outcome: trueOutcome(row.decision, row.outcome, heuristics) } : {}),
    heuristics,
    ...(key !== null && fingerprint !== null ? { idempotency: { key, fingerprint } } : {}),
    ...(row.answer !== null && row.answer !== undefined ? { answer: row.answer } : {}),
  };
}

/** Evidence that came after the end was noted makes the outcome heuristic all the same. */
function trueOutcome(
  decision: Decision,
  noted: TransactionOutcome,
  heuristics: readonly HeuristicBranch[],
): TransactionOutcome {
  return heuristics.length > 0 ? transactionOutcome(decision, heuristics) : noted;
}
