/**
 * The channel to coordinators: participants inquire and enlist through it, coordinators ask each
 * other whether an incarnation lives and whether a transaction is live there (protocol §5). Same
 * promises as the other end: none.
 */
import type {
  BranchId,
  Decision,
  HeuristicEvidence,
  Incarnation,
  InstanceId,
  ParticipantName,
  TransactionId,
} from '@concordat/protocol';
import type { Answer } from './answer.js';
import type { WaitReport } from './waits.js';

export interface Inquiry {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  /** The branch has not voted, and can wait: an owner that is only silent is left its transaction. */
  readonly unvoted?: true;
}

export type InquiryAnswer =
  | { readonly kind: 'decided'; readonly decision: Decision }
  /** Live at its owner: ask again. */
  | { readonly kind: 'undecided' }
  /** Below the pruning mark: the decision is no longer known. Keep the branch and notify an operator. */
  | { readonly kind: 'forgotten' };

/** A heuristic outcome that a participant met while it carried out the answer to an inquiry. */
export interface HeuristicReport {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  readonly evidence: HeuristicEvidence;
}

export type ReportAnswer =
  /** The evidence is durable. */
  | { readonly recorded: true }
  /** By what the coordinator knows it is not so: `code` says what speaks against it. */
  | { readonly recorded: false; readonly code: string; readonly reason: string };

export interface Enlistment {
  readonly transaction: TransactionId;
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
}

export type EnlistmentAnswer =
  | {
      readonly kind: 'enlisted';
      readonly branch: BranchId;
      readonly timeLeftMs: number;
      readonly idleLeaseMs: number;
      /** The owner knew this branch already: who does not have it any more has lost its work. */
      readonly rejoined?: boolean;
    }
  /** No work may be done: `code` says why, `reason` what to do next. */
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

/** What participants may forget. */
export interface Marks {
  readonly below: TransactionId;
  /**
   * Everything below is past retention: so what participants decide themselves may be pruned too. Absent: that
   * is kept.
   */
  readonly forgottenBelow?: TransactionId;
}

export abstract class CoordinatorChannel {
  /** Asks any coordinator. */
  abstract inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>>;
  /**
   * Reports a heuristic outcome to any coordinator, which looks whether it can be, and records it
   * durably before it answers. Idempotent; the reporter repeats it until it is recorded.
   */
  abstract reportHeuristic(report: HeuristicReport): Promise<Answer<ReportAnswer>>;
  /** Asks the owner of the transaction, before any work. */
  abstract enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>>;
  /** Reports to the owner of the listed transactions what their branches wait for. */
  abstract reportWaits(owner: Incarnation, report: WaitReport): Promise<Answer<{ noted: true }>>;
  /** Asks one incarnation whether it lives. */
  abstract ping(incarnation: Incarnation): Promise<Answer<{ readonly alive: true }>>;
  /** Asks one incarnation whether a transaction is live there, and if so whose it is. */
  abstract isLive(
    owner: Incarnation,
    transaction: TransactionId,
  ): Promise<Answer<{ readonly live: boolean; readonly principal?: string }>>;
  /**
   * Asks any coordinator for the low-water mark: every transaction below it is neither live nor
   * unended anywhere, so what participants remember of it may be pruned; and for the register's own mark.
   */
  abstract lowWaterMark(): Promise<Answer<Marks>>;
}
