/**
 * Waits for locks as participants see and report them, and the ways in which coordinators ask about
 * them. Guards "only what is known is reported": a wait is what a database showed at one moment, reported
 * with an id that lasts exactly as long as the wait does, so that no reader takes an old report for the
 * present. Row locations, process ids and application names travel, never values.
 */
import type {
  BranchId,
  Incarnation,
  InstanceId,
  ParticipantName,
  TransactionId,
} from '@concordat/protocol';
import type { Answer } from './answer.js';

/** Who holds a lock that a branch waits for, or is ahead of it in the lock's queue. */
export type WaitHolder =
  /** A branch of this cluster, at work or prepared. A prepared one has no process. */
  | {
      readonly kind: 'branch';
      readonly transaction: TransactionId;
      readonly branch: BranchId;
      readonly isPrepared: boolean;
      readonly pid?: number;
      readonly application?: string;
    }
  /** A session that is no branch of this cluster. */
  | {
      readonly kind: 'session';
      readonly pid: number;
      readonly application?: string;
      /** The role that it works as. */
      readonly user?: string;
    }
  /** A prepared transaction that is no branch of this cluster. */
  | { readonly kind: 'prepared'; readonly gid: string };

/** What is locked, as Postgres calls it: `tuple`, `transactionid`, `relation`, `advisory`, … */
export interface LockedThing {
  readonly kind: string;
  readonly relation?: string;
  /** Where the row is in the relation: `(0,1)`. */
  readonly row?: string;
}

/** One branch's wait for one lock. */
export interface BranchWait {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  /** Names this wait from its begin to its end; the branch's next wait has another name. */
  readonly id: string;
  /** By the database's clock, when it was looked at. */
  readonly waitingMs: number;
  readonly on: LockedThing;
  /**
   * It gave its session back, or got none while its crowd is at work, and waits for its turn: the end of one of its
   * holders may be enough, and who they are is inferred. Its name
   * is the participant's, and no look into the database shows it: asked about it, the instance lets it run.
   */
  readonly withoutSession?: true;
  /**
   * Each of them has to release its lock, or to get its own, before the wait ends. At most
   * {@link HOLDERS_MAX}.
   */
  readonly holders: readonly WaitHolder[];
}

/**
 * One session's wait as the whole database shows it, of any session: for people, who want to know whom to
 * ask. No decision depends on it.
 */
export interface LockWait extends Pick<BranchWait, 'id' | 'waitingMs' | 'on' | 'withoutSession'> {
  /** A branch of this cluster, or a session that is none. */
  readonly waiter: WaitHolder;
  /**
   * Who holds the lock, found through the queue where others are ahead. Empty where that is not seen: a
   * branch without a session may wait for its turn alone. At most {@link HOLDERS_MAX}.
   */
  readonly holders: readonly WaitHolder[];
  /** Sessions that are ahead of it in the queue. */
  readonly ahead: number;
}

/** All waits in a participant's database in which a branch of this cluster waits or is waited for. */
export interface LockWaits {
  /** Sessions that wait so. */
  readonly sessions: number;
  /** The longest first, at most {@link WAITS_MAX}, then those without a session. */
  readonly waits: readonly LockWait[];
  /** More wait than were looked at or are listed. */
  readonly truncated?: boolean;
}

/** All waits of one instance's branches that one coordinator owns; each report replaces the one before. */
export interface WaitReport {
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /** Grows with each report of the instance; an older one that comes late is ignored. */
  readonly sequence: number;
  readonly waits: readonly BranchWait[];
}

/** A reported wait, with who reported it. */
export interface Wait extends BranchWait {
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /** When it began, ms since 1970 of the owner's time: one instant as long as it lasts. */
  readonly sinceMs: number;
  /** When the owner last received a report of it, ms since 1970. */
  readonly heardAtMs: number;
}

/** Which branch waits, and where. */
export type WaitingBranch = Pick<Wait, 'transaction' | 'branch' | 'participant' | 'instance'>;

/** What a coordinator knows of one of its transactions' waits. */
export interface TransactionWaits {
  readonly transaction: TransactionId;
  readonly waits: readonly Wait[];
}

export const HOLDERS_MAX = 16;
/** Waits in one report. What is beyond it is reported once others have ended. */
export const WAITS_MAX = 256;
/** Transactions that one question may name. */
export const WAITS_ASKED_MAX = 256;

/** How a coordinator follows waits beyond what was reported to it. Silence proves nothing. */
export abstract class WaitQuestions {
  /** What the owner of these transactions received about their waits. */
  abstract waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>>;
  /**
   * What a branch waits for now: the instance looks into its database after it was asked. An empty
   * answer says that it waits for no lock there. A branch that waits without a session runs again from
   * there on, beyond the order of arrival, so that a later look shows what it waits for.
   */
  abstract waitsNow(
    at: { readonly participant: ParticipantName; readonly instance: InstanceId },
    branches: readonly { readonly transaction: TransactionId; readonly branch: BranchId }[],
  ): Promise<Answer<readonly BranchWait[]>>;
}
