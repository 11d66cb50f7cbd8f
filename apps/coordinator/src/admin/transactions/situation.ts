/**
 * All that is known of a transaction when somebody looks: what stands, what its participants say, who
 * finishes it. Guards "one account": rows, explanations, offered actions and their guards are derived
 * from the same situation, so that none of them contradicts another.
 */
import type { BranchImpact, BranchView } from '@concordat/engine';
import {
  formatGid,
  type BranchId,
  type ClusterId,
  type Gid,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { hasEnded, type KnownTransaction } from '../../transactions/known-transaction.js';
import { tagOf } from '../if-match.js';
import type { ParticipantState, SeenParticipant } from '../participants/participants-watch.js';

export interface Situation {
  readonly known: KnownTransaction;
  readonly cluster: ClusterId;
  readonly self: Incarnation;
  readonly nowMs: number;
  readonly seen: ReadonlyMap<ParticipantName, SeenParticipant>;
  /** Closer looks, by branch, where they were asked for: what its database holds now. */
  readonly prepared?: ReadonlyMap<BranchId, BranchImpact>;
  /** Whether the owner answers; absent where it was not asked. */
  readonly ownerAlive?: boolean;
  /** Whether the coordinator that finishes it answers; absent where it was not asked. */
  readonly finisherAlive?: boolean;
  /** The register holds nothing of it and may not hold anything any more. */
  readonly isForgotten?: boolean;
  /** Nothing but a prepared branch tells that it ever was. */
  readonly isTraceless?: boolean;
}

/** Waiting for longer than this is being stuck. */
export const STUCK_AFTER_MS = 10_000;

export function gidOf({ known, cluster }: Situation, branch: BranchId): Gid {
  return formatGid({ cluster, transaction: known.transaction, branch });
}

/** Branches that have not reported what the decision made of them. */
export function waitingBranches({ known }: Situation): readonly BranchView[] {
  if (hasEnded(known)) return [];
  // A commit is delivered to those that voted prepared; the others have nothing to be told.
  return known.branches.filter(({ outcome, vote }) => !outcome && mayBePrepared(vote?.kind, known));
}

function mayBePrepared(vote: string | undefined, { decision }: KnownTransaction): boolean {
  if (vote === 'read-only') return false;
  return !(decision === 'commit' && vote === 'no');
}

/** Branches whose vote is not known while nothing is decided. */
export function votelessBranches({ known }: Situation): readonly BranchView[] {
  return known.decision === undefined ? known.branches.filter((one) => !one.vote) : [];
}

export function stateOf({ seen }: Situation, participant: ParticipantName): ParticipantState {
  return seen.get(participant)?.state ?? 'silent';
}

/** Sessions that wait for something that branches of this transaction hold. */
export function blockedSessions(situation: Situation): number {
  const { known, seen } = situation;
  return known.branches.reduce((sum, { branch, participant }) => {
    const gid = gidOf(situation, branch);
    const impact = situation.prepared?.get(branch);
    return sum + (impact?.blockedSessions ?? seen.get(participant)?.blockedBy.get(gid) ?? 0);
  }, 0);
}

export function isUnresolvedHeuristic({ known }: Situation): boolean {
  return known.status.startsWith('heuristic') && known.resolved === undefined;
}

/** Since when it is in its present status. */
export function inStatusSinceMs({ known }: Situation): number {
  if (known.endedAtMs !== undefined) return known.endedAtMs;
  if (known.decidedAtMs !== undefined) return known.decidedAtMs;
  return known.begunAtMs;
}

/**
 * What `If-Match` must carry: it changes with whatever may change what is right to do (status, decision,
 * votes, outcomes), and not with another attempt that brought nothing.
 */
export function etagOf({ known, isForgotten }: Situation): string {
  const { status, decision, outcome, endedAtMs, resolved, branches } = known;
  const parts = branches.map((one) => [one.branch, one.vote?.kind, one.outcome?.kind]);
  const told = [status, decision, outcome, endedAtMs !== undefined, resolved?.atMs, parts];
  return tagOf([known.transaction, isForgotten === true, ...told]);
}

/** A transaction of which nothing is left but branches that lie prepared somewhere. */
export function traceless(
  transaction: TransactionId,
  owner: Incarnation,
  begunAtMs: number,
  branches: readonly { readonly branch: BranchId; readonly participant: ParticipantName }[],
): KnownTransaction {
  return {
    transaction,
    owner,
    status: 'undecided',
    begunAtMs,
    branches: branches.map((one) => ({
      ...one,
      work: 'bundled' as const,
      operations: [],
      attempts: 0,
    })),
    timeline: [],
    version: 0,
  };
}
