/**
 * What reconciliation reads and remembers in the decision database: many transactions compared in one
 * question, and per participant how far its outcome table has been compared. Guards protocol §3: it
 * reads decisions and never makes one; losing what it remembers costs another scan, nothing else.
 */
import type {
  Decision,
  Enlisted,
  Incarnation,
  ParticipantName,
  TransactionId,
} from '@concordat/protocol';
import type { OutcomeKey } from './inspection.js';

export interface ComparedDecision {
  readonly transaction: TransactionId;
  readonly decision: Decision;
  readonly finisher: Incarnation;
  readonly branches: readonly Enlisted[];
  readonly ended: boolean;
  /** Branches whose heuristic outcome is recorded. */
  readonly heuristics: readonly string[];
  readonly decidedAgoMs: number;
}

export interface Comparison {
  /** Below, what has no decision is forgotten. */
  readonly mark: TransactionId | '';
  readonly standing: ReadonlyMap<TransactionId, ComparedDecision>;
}

export interface ScanBounds {
  /** What lies below is not compared: forgotten, or of a time before this cluster. */
  readonly floor: TransactionId | '';
  /** No transaction below is live at any coordinator. */
  readonly liveFloor: TransactionId;
}

/** How far a participant's outcome table has been compared. */
export interface ScanState {
  /** Every row below has been compared, or its branch is watched. */
  readonly base: TransactionId | '';
  /** Where the running scan goes on. */
  readonly position?: OutcomeKey;
  /** What `base` becomes when the running scan has reached the end; absent between scans. */
  readonly candidate?: TransactionId | '';
}

export abstract class ReconciliationStore {
  /** What stands for these transactions, in one question. Rejects with `RegisterUnknown`. */
  abstract compare(transactions: readonly TransactionId[]): Promise<Comparison>;
  /** The oldest commits that have not ended and were decided at least so long ago. */
  abstract unfinished(olderThanMs: number, limit: number): Promise<readonly ComparedDecision[]>;
  abstract bounds(): Promise<ScanBounds>;
  /**
   * The state of a participant's scan, if it is this coordinator's turn to go on with it; turns keep
   * several coordinators from doing the same work, and nothing rests on them.
   */
  abstract takeTurn(
    participant: ParticipantName,
    turn: { readonly forMs: number; readonly regardless: boolean },
  ): Promise<ScanState | undefined>;
  /** Moves the scan on; false where another coordinator has moved it meanwhile. */
  abstract advance(participant: ParticipantName, from: ScanState, to: ScanState): Promise<boolean>;
  /** Branches that were prepared below the base: each is looked up again once it is gone. */
  abstract watched(participant: ParticipantName): Promise<readonly string[]>;
  abstract watch(participant: ParticipantName, gids: readonly string[]): Promise<void>;
  abstract unwatch(participant: ParticipantName, gids: readonly string[]): Promise<void>;
  /** Participants that have ever been compared. */
  abstract participants(): Promise<readonly ParticipantName[]>;
}
