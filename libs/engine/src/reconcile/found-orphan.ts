/**
 * What reconciliation finds and reports. Guards protocol §6: what disagrees is shown with what was
 * seen on either side, and nothing is repaired by the looking.
 */
import type { BranchId, Decision, ParticipantName, TransactionId } from '@concordat/protocol';
import type { OrphanBranch } from '../orphan-settler.js';

export type OrphanKind =
  /** Prepared there, and neither live nor decided here. */
  | 'prepared-unknown'
  /** Prepared there, decided here, and no coordinator finishes it. */
  | 'prepared-decided'
  /** Prepared there, and past retention: its decision is no longer known. */
  | 'prepared-forgotten'
  /** Committed there, not decided here, and its owner still lives or could not be asked. */
  | 'committed-undecided'
  /** Decided commit here, not acknowledged, and neither prepared nor committed there. */
  | 'decided-lost';

export interface FoundOrphan extends OrphanBranch {
  readonly gid: string;
  readonly kind: OrphanKind;
  readonly heldMs?: number;
  /** What the register says it must become, where it says so already. */
  readonly verdict?: Decision;
  /** One sentence: what was found where. */
  readonly evidence: string;
}

export interface ReconciledParticipant {
  readonly participant: ParticipantName;
  /**
   * `unable`: it answers, but does not know how to list; an older or foreign implementation · `failed`:
   * a question to the register about it failed. What an earlier pass found there is what is known.
   */
  readonly state: 'compared' | 'silent' | 'unable' | 'failed';
  readonly prepared: number;
  /** Committed outcome rows compared in this pass by this coordinator. */
  readonly rows: number;
  /** Whether its outcome table has been compared to its end. */
  readonly upToDate: boolean;
  readonly why?: string;
}

export interface RecordedHeuristic {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
}

export interface ReconcileReport {
  readonly orphans: readonly FoundOrphan[];
  /** More were found than are listed. */
  readonly truncated: boolean;
  readonly participants: readonly ReconciledParticipant[];
  /** Names of those that did not answer. */
  readonly silent: readonly ParticipantName[];
  /** Heuristic outcomes that this pass has recorded. */
  readonly recorded: readonly RecordedHeuristic[];
  readonly comparedAtMs?: number;
  readonly durationMs?: number;
  /** Why the last pass did not come to its end. */
  readonly lastError?: string;
}
