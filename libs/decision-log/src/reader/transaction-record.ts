/**
 * A transaction as inspection shows it: the register's row is authoritative, the history's row adds the
 * history. Guards protocol §6: where evidence of a heuristic is recorded the status is heuristic, whatever
 * the history says, and it stays so after it was resolved.
 */
import type {
  BranchView,
  IdempotencyKey,
  TimelineEvent,
  TransactionStatus,
  TransactionView,
} from '@concordat/engine';
import {
  decidedAt,
  madeAtMs,
  ownerOf,
  transactionOutcome,
  type AbortCause,
  type Decision,
  type HeuristicBranch,
  type Incarnation,
  type TransactionId,
  type TransactionOutcome,
} from '@concordat/protocol';
import { enlistedOf, type StoredBranch } from '../register/decision-row.js';
import { readBranches, readTimeline } from '../history/story.js';

export interface HeuristicRecord extends HeuristicBranch {
  readonly recordedAtMs: number;
  readonly resolution?: {
    readonly by: string;
    readonly reason: string;
    readonly atMs: number;
  };
}

export interface TransactionSummary extends Omit<TransactionView, 'timeline' | 'timeLeftMs'> {
  /** Whether the register holds a decision. Without one a status is only what was last noted. */
  readonly decisionStands: boolean;
  /** Which coordinator finishes a commit on record: the owner, or the one that took it over. */
  readonly finisher?: Incarnation;
  readonly idempotency?: IdempotencyKey;
  readonly heuristics: readonly HeuristicRecord[];
}

export interface TransactionRecord extends TransactionSummary {
  readonly timeline: readonly TimelineEvent[];
}

/** One row of READ_TRANSACTIONS: `j_` from the history, `d_` from the register. */
export interface RecordRow {
  readonly transaction: TransactionId;
  readonly j_principal: string | null;
  readonly j_label: string | null;
  readonly j_status: TransactionStatus | null;
  readonly j_decision: Decision | null;
  readonly j_cause: AbortCause | null;
  readonly j_timeout_ms: number | null;
  readonly j_begun_at_ms: number | null;
  readonly j_decided_at_ms: number | null;
  readonly j_ended_at_ms: number | null;
  /** These as history/story.ts has them. */
  readonly j_branches: readonly object[] | null;
  readonly j_timeline?: readonly object[] | null;
  readonly j_takeover: {
    readonly branches: readonly object[];
    readonly timeline: readonly object[];
  } | null;
  readonly j_version: string | null;
  readonly d_decision: Decision | null;
  readonly d_finisher: Incarnation | null;
  readonly d_principal: string | null;
  readonly d_branches: readonly StoredBranch[] | null;
  readonly d_key: string | null;
  readonly d_fingerprint: string | null;
  readonly d_note: { readonly label?: string; readonly cause?: AbortCause } | null;
  readonly d_decided_at_ms: number | null;
  readonly d_ended_at_ms: number | null;
  readonly heuristics: readonly HeuristicRecord[] | null;
}

export function summaryOf(row: RecordRow): TransactionSummary {
  const heuristics = (row.heuristics ?? []).map(tidy);
  const status = statusOf(row, heuristics);
  const decision = row.d_decision ?? row.j_decision ?? undefined;
  const { decidedAtMs, endedAtMs: ended } = instantsOf(row, heuristics);
  const cause = row.j_cause ?? row.d_note?.cause ?? undefined;
  const label = row.j_label ?? row.d_note?.label ?? undefined;
  const principal = row.d_principal ?? row.j_principal ?? undefined;
  return {
    transaction: row.transaction,
    owner: ownerOf(row.transaction),
    ...(principal !== undefined ? { principal } : {}),
    ...(label !== undefined ? { label } : {}),
    status,
    ...(decision ? { decision } : {}),
    ...(isOutcome(status) && ended !== null ? { outcome: status } : {}),
    ...(cause && decision !== 'commit' ? { cause } : {}),
    timeoutMs: row.j_timeout_ms ?? 0,
    begunAtMs: Math.round(row.j_begun_at_ms ?? madeAtMs(row.transaction)),
    ...(status === 'deciding' ? decidingSince(row) : {}),
    ...(decidedAtMs !== null ? { decidedAtMs: Math.round(decidedAtMs) } : {}),
    ...(ended !== null ? { endedAtMs: Math.round(ended) } : {}),
    branches: branchesOf(row, heuristics),
    version: Number(row.j_version ?? 0),
    decisionStands: row.d_decision !== null,
    ...(row.d_finisher && row.d_decision === 'commit' ? { finisher: row.d_finisher } : {}),
    ...(row.d_key !== null && row.d_fingerprint !== null
      ? { idempotency: { key: row.d_key, fingerprint: row.d_fingerprint } }
      : {}),
    heuristics,
  };
}

/**
 * The times of an abort come from its owner, which reported when it was decided and ended: where a row
 * records it, also for evidence that came in, the row has the time at which that was written. For a commit,
 * the row has the times. What its participant has forgotten has ended when that was recorded.
 */
function instantsOf(
  row: RecordRow,
  heuristics: readonly HeuristicRecord[],
): { decidedAtMs: number | null; endedAtMs: number | null } {
  const { j_decided_at_ms: decided, j_ended_at_ms: ended } = row;
  if (row.d_decision === null) {
    const isForgotten = decidedAt(row.transaction) !== undefined;
    const found = isForgotten ? heuristics[0]?.recordedAtMs : undefined;
    return { decidedAtMs: decided, endedAtMs: ended ?? found ?? null };
  }
  const isOwners = row.d_decision === 'abort' && row.j_decision === 'abort';
  return {
    decidedAtMs: (isOwners ? decided : null) ?? row.d_decided_at_ms,
    endedAtMs: (isOwners ? ended : null) ?? row.d_ended_at_ms,
  };
}

/** Since when it was noted to ask for its decision. */
function decidingSince(row: RecordRow): Pick<TransactionView, 'decidingSinceMs'> {
  const told = readTimeline(
    row.transaction,
    readBranches(row.j_branches ?? []),
    row.j_timeline ?? [],
  );
  const asked = told.find(({ type }) => type === 'proposed' || type === 'settle-sent');
  return asked ? { decidingSinceMs: asked.atMs } : {};
}

export function recordOf(row: RecordRow): TransactionRecord {
  const told = (branches: readonly object[] | null, timeline: readonly object[] = []) =>
    readTimeline(row.transaction, readBranches(branches ?? []), timeline);
  const { j_takeover: takeover } = row;
  const own = told(row.j_branches, row.j_timeline ?? []);
  const story = [...own, ...(takeover ? told(takeover.branches, takeover.timeline) : [])];
  // The coordinator that took it over counted from one again.
  const taken = row.j_takeover !== null;
  const timeline = taken ? story.map((event, at) => ({ ...event, sequence: at + 1 })) : story;
  return { ...summaryOf(row), timeline };
}

function statusOf(row: RecordRow, heuristics: readonly HeuristicRecord[]): TransactionStatus {
  const decision = row.d_decision ?? row.j_decision ?? heuristics[0]?.evidence.decision;
  if (heuristics.length > 0 && decision) return transactionOutcome(decision, heuristics);
  if (row.d_decision === 'abort') return 'aborted';
  if (row.d_decision === 'commit') return row.d_ended_at_ms === null ? 'committing' : 'committed';
  return row.j_status ?? 'active';
}

function isOutcome(status: TransactionStatus): status is TransactionOutcome {
  return /^(committed|aborted|heuristic-.*)$/.test(status);
}

/** The owner's story, then the taker's, then what the register knows better than both. */
function branchesOf(row: RecordRow, heuristics: readonly HeuristicRecord[]): BranchView[] {
  const branches = new Map<string, BranchView>();
  for (const { branch, participant, work } of enlistedOf(row.d_branches ?? [])) {
    branches.set(branch, { branch, participant, work, operations: [], attempts: 0 });
  }
  for (const one of readBranches(row.j_branches ?? [])) branches.set(one.branch, one);
  for (const one of readBranches(row.j_takeover?.branches ?? [])) {
    const { operations, vote, outputs, outcome } = branches.get(one.branch) ?? one;
    branches.set(one.branch, {
      ...(outcome ? { outcome } : {}), // The taker asks every branch again; what had finished stays so.
      ...one,
      operations,
      ...(vote ? { vote } : {}),
      ...(outputs ? { outputs } : {}),
    });
  }
  for (const { branch, participant, evidence } of heuristics) {
    const known: BranchView = branches.get(branch) ?? {
      branch,
      participant,
      work: 'bundled',
      operations: [],
      attempts: 0,
    };
    branches.set(branch, { ...known, outcome: { kind: 'heuristic', evidence } });
  }
  if (row.d_decision === 'commit' && row.d_ended_at_ms !== null) {
    // Its end was noted, so every branch that had prepared has acknowledged.
    for (const { branch } of row.d_branches ?? []) {
      const known = branches.get(branch);
      if (known && !known.outcome) {
        branches.set(branch, { ...known, outcome: { kind: 'committed' } });
      }
    }
  }
  return [...branches.values()];
}

interface StoredHeuristic extends HeuristicRecord {
  readonly resolved_by?: string | null;
}

function tidy({ resolution, ...known }: StoredHeuristic): HeuristicRecord {
  const recordedAtMs = Math.round(known.recordedAtMs);
  if (!resolution) return { ...known, recordedAtMs };
  return {
    ...known,
    recordedAtMs,
    resolution: { ...resolution, atMs: Math.round(resolution.atMs) },
  };
}
