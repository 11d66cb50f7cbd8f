/**
 * All that is known of a transaction when it is looked at: the decision, what its participants report, which
 * coordinator finishes it. Guards "one account": rows, explanations, offered actions and their guards are
 * derived
 * from the same situation, so that none of them contradicts another.
 */
import type { InDatabase, Severity, Status } from '@concordat/api';
import type { BranchImpact, BranchView, BrokenCycle } from '@concordat/engine';
import {
  decidedAt,
  formatGid,
  type BranchId,
  type ClusterId,
  type Gid,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { hasEnded, type KnownTransaction } from './known-transaction.js';
import type { ParticipantSeen, ParticipantState } from './participant-seen.js';
import { branchWaits, type BranchWaits } from './waits/branch-waits.js';
import type { Blocks, WaitPicture } from './waits/wait-picture.js';

export interface Situation {
  readonly known: KnownTransaction;
  readonly cluster: ClusterId;
  readonly self: Incarnation;
  readonly nowMs: number;
  readonly seen: ReadonlyMap<ParticipantName, ParticipantSeen>;
  /** Closer looks, by branch, where they were asked for: what its database holds now. */
  readonly prepared?: ReadonlyMap<BranchId, BranchImpact>;
  /**
   * Branches whose database has just reported whether they are prepared there; of others, nothing is known.
   */
  readonly lying?: ReadonlyMap<BranchId, boolean>;
  /** Whether the owner answers; absent where it was not asked. */
  readonly ownerAlive?: boolean;
  /** Which sessions wait for which, everywhere, as far as it is reported. */
  readonly waits: WaitPicture;
  /** A transaction that blocks something for longer is stuck, in any state. */
  readonly blockingAfterMs: number;
  /** Of transactions that hold what this one waits for, where they were looked up. */
  readonly statuses?: ReadonlyMap<TransactionId, Status>;
  /** In which it was lately, as far as this coordinator has broken them. */
  readonly broken?: readonly BrokenCycle[];
  /** Which coordinator delivers the decision; absent where none was asked, or nothing is decided. */
  readonly delivery?: Delivery;
  /** It was looked at closely: what is absent is not known, rather than not asked for. */
  readonly isAsked?: true;
  /** Which names have ever answered could not be read yet. */
  readonly areNamesUnread?: boolean;
  /** The register holds nothing of it and may not hold anything any more. */
  readonly isForgotten?: boolean;
  /** Only a prepared branch shows that it ever existed. */
  readonly isTraceless?: boolean;
}

/** Why it is where it is, and what happens next, in a sentence each. */
export interface Explained {
  readonly why: string;
  readonly next: string;
  readonly nextAtMs?: number;
  readonly severity: Severity;
}

/** `not-live`: its coordinator answers, and does not have it; `gone`: no coordinator is there to have it. */
export type Delivery = 'under-way' | 'not-live' | 'gone' | 'not-known';

/** Waiting for longer than this is being stuck. */
export const STUCK_AFTER_MS = 10_000;

export function gidOf({ known, cluster }: Situation, branch: BranchId): Gid {
  return formatGid({ cluster, transaction: known.transaction, branch });
}

/** Branches that have not reported what the decision made of them. */
export function waitingBranches({ known }: Situation): readonly BranchView[] {
  if (hasEnded(known)) return [];
  // In one phase the decision is what its branch has done: nothing is left to deliver.
  if (known.decision !== undefined && decidedAt(known.transaction) !== undefined) return [];
  // A commit is delivered to those that voted prepared; the others need no message.
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

/** `unknown`: no instance has ever answered under that name. */
export function stateOf(
  { seen, known, areNamesUnread }: Situation,
  participant: ParticipantName,
): ParticipantState | 'unknown' {
  const { state } = seen.get(participant) ?? {};
  if (state !== undefined) return state;
  const own = known.branches.filter((one) => one.participant === participant);
  const hasAnswered = own.some(({ vote, outcome }) => vote !== undefined || outcome !== undefined);
  return hasAnswered || areNamesUnread ? 'silent' : 'unknown';
}

/** Whether each of these branches is known not to be prepared any more. */
export function nothingLies({ lying }: Situation, branches: readonly BranchView[]): boolean {
  return branches.length > 0 && branches.every(({ branch }) => lying?.get(branch) === false);
}

/** What the branch's database says now. An acknowledgement is final. */
export function inDatabase({ lying, known }: Situation, branch: BranchId): InDatabase {
  const said = lying?.get(branch);
  if (said !== undefined) return said ? 'prepared' : 'not-prepared';
  const outcome = known.branches.find((one) => one.branch === branch)?.outcome;
  return outcome && outcome.kind !== 'heuristic' ? 'finished' : 'not-known';
}

/**
 * Sessions that wait for something that branches of this transaction hold. Undefined where none is known and
 * a branch that may hold something is in a database that cannot be looked at.
 */
export function blockedSessions(situation: Situation): number | undefined {
  const waiting = new Set(waitingBranches(situation).map((one) => one.branch));
  let sum = 0;
  let isKnown = true;
  for (const { branch, participant } of situation.known.branches) {
    const sessions = blockedBy(situation, branch, participant);
    sum += sessions ?? 0;
    const mayHold = waiting.has(branch) && stateOf(situation, participant) !== 'unknown';
    if (sessions === undefined && mayHold) isKnown = false;
  }
  return sum > 0 || isKnown ? sum : undefined;
}

function blockedBy(
  situation: Situation,
  branch: BranchId,
  participant: ParticipantName,
): number | undefined {
  const there = situation.seen.get(participant);
  const { transaction } = situation.known;
  const seen = situation.waits.countBlockedBy(transaction, branch);
  const impact = situation.prepared?.get(branch);
  if (impact) {
    const most = Math.max(impact.blockedSessions, seen);
    return impact.truncated && most === 0 ? undefined : most;
  }
  const told = there?.blockedBy.get(gidOf(situation, branch)) ?? 0;
  if (seen > 0 || told > 0) return Math.max(seen, told);
  // What a running branch holds is known only from a look at all waits in its database.
  const isKnown = isDecided(situation) && situation.lying?.get(branch) === false;
  return isKnown || there?.lockWaits?.truncated === false ? 0 : undefined;
}

const isDecided = ({ known }: Situation): boolean => known.decision !== undefined;

/** What waits for something that it holds. */
export function blocksOf({ known, waits }: Situation): Blocks | undefined {
  return hasEnded(known) ? undefined : waits.blockedBy(known.transaction);
}

/** Whether it holds something up for so long that somebody should look. */
export function isBlocking(situation: Situation): boolean {
  const blocks = blocksOf(situation);
  return blocks !== undefined && situation.nowMs - blocks.sinceMs >= situation.blockingAfterMs;
}

/** What a branch waits for; undefined where it waits for no lock any more. */
export function waitsFor(situation: Situation, branch: BranchView): BranchWaits | undefined {
  const { known, waits, seen } = situation;
  return branchWaits(known, branch, waits, seen.get(branch.participant));
}

export function isUnresolvedHeuristic({ known }: Situation): boolean {
  return known.status.startsWith('heuristic') && known.resolved === undefined;
}

/** Since when it is in its present status; since its begin where the moment was not noted. */
export function inStatusSinceMs({ known }: Situation): number {
  if (known.endedAtMs !== undefined) return known.endedAtMs;
  if (known.decidedAtMs !== undefined) return known.decidedAtMs;
  return known.decidingSinceMs ?? known.begunAtMs;
}

/** A transaction of which nothing is left but prepared branches. */
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
