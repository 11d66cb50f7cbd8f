/**
 * What coordinators know of each other in the decision database, and what may be forgotten there. Guards
 * protocol §3: participants forget only below the low-water mark, and every transaction that is live at a
 * listed coordinator or has not ended is above it. Every call rejects with `RegisterUnknown` when the
 * database does not answer; its effect is unknown then.
 */
import type { Incarnation, TransactionId } from '@concordat/protocol';
import type { Pacing } from './pacing.js';

export interface ListedCoordinator {
  readonly incarnation: Incarnation;
  /** By the decision database's clock. */
  readonly seenAgoMs: number;
  /** The number of its last heartbeat, where they are counted. */
  readonly beat?: number;
}

export interface PrunedRecords {
  /** Below this, a transaction without a row is forgotten. */
  readonly below: TransactionId;
  readonly decisions: number;
  readonly history: number;
}

export abstract class CoordinatorList {
  /** Puts a coordinator on the list, or says that it still lives and what is the oldest live there. */
  abstract heartbeat(beat: {
    readonly incarnation: Incarnation;
    /** Absent when none is live. */
    readonly oldestLive?: TransactionId;
  }): Promise<void>;
  /** Every coordinator that has registered and was not removed. */
  abstract coordinators(): Promise<readonly ListedCoordinator[]>;
  /**
   * Takes a coordinator off the list, and so out of the low-water mark; with `ifBeat` only while that
   * is still its last heartbeat.
   */
  abstract forgetCoordinator(incarnation: Incarnation, ifBeat?: number): Promise<void>;
  /** No transaction below is live or unended anywhere. */
  abstract lowWaterMark(): Promise<TransactionId>;
  /**
   * Deletes what ended longer than `retentionMs` ago and is below the low-water mark, and histories of what
   * ended longer than `historyMs` ago, where that is shorter: decisions stay, nothing else depends on a
   * history. In pieces at the given pace; once that is stopped, the rest is left for another time.
   */
  abstract prune(retentionMs: number, historyMs?: number, pace?: Pacing): Promise<PrunedRecords>;
}

/** Finds what an incarnation left behind undecided. */
export abstract class AbandonedTransactions {
  /** Of its transactions that were noted, have no end and no decision, the oldest behind `after`. */
  abstract abandonedBy(
    incarnation: Incarnation,
    limit: number,
    after?: TransactionId,
  ): Promise<readonly TransactionId[]>;
}
