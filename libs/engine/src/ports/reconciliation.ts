/**
 * What reconciliation reads and remembers in the decision database: many branches compared in one
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

/** What the register says of one branch. */
export interface ComparedBranch extends OutcomeKey {
  /** For this branch: a commit that does not name it is an abort for it. Absent: no decision is on record. */
  readonly verdict?: Decision;
  /** No decision is on record, and below the pruning mark there never will be one. */
  readonly forgotten: boolean;
  /** The transaction has ended: no coordinator delivers the decision any more. */
  readonly ended: boolean;
  readonly finisher?: Incarnation;
  /**
   * Whose branch it is according to the commit on record. Absent where there is none, or it does not name it.
   */
  readonly participant?: ParticipantName;
}

export interface UnfinishedCommit {
  readonly transaction: TransactionId;
  readonly finisher: Incarnation;
  readonly branches: readonly Enlisted[];
  readonly decidedAgoMs: number;
}

export interface ScanBounds {
  /** What is below is not compared: pruned, or from before this cluster. */
  readonly floor: TransactionId;
  /** What is below is of an earlier cluster. */
  readonly born: TransactionId;
  /** No transaction below is live at any coordinator. */
  readonly liveFloor: TransactionId;
}

/** How far a participant's outcome table has been compared. */
export interface ScanState {
  /** Every row below has been compared, or its branch is watched. Absent before the first scan ended. */
  readonly base?: TransactionId;
  /** Where the running scan goes on; absent at its beginning. */
  readonly position?: OutcomeKey;
  /** What `base` becomes when the running scan has reached the end; absent between scans. */
  readonly candidate?: TransactionId;
}

export abstract class ReconciliationStore {
  /** The decisions on record for these branches, in one query. Rejects with `RegisterUnknown`. */
  abstract compare(branches: readonly OutcomeKey[]): Promise<readonly ComparedBranch[]>;
  /**
   * Of branches that are committed at their participant, those that are not committed here: no decision or an
   * abort is on record, and no evidence of it is recorded. Pruned ones are left out.
   */
  abstract contradicted(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]>;
  /**
   * Of branches that have committed in one phase, those of which neither a decision nor an end is on record here: no
   * process has told anybody of them, as far as is known. Rejects with `RegisterUnknown`.
   */
  abstract unrecorded(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]>;
  /** The oldest commits that have not ended and were decided at least so long ago. */
  abstract unfinished(olderThanMs: number, limit: number): Promise<readonly UnfinishedCommit[]>;
  abstract bounds(): Promise<ScanBounds>;
  /**
   * The state of a participant's scan, if it is this coordinator's turn to go on with it; turns keep
   * several coordinators from doing the same work, and no rule depends on them.
   */
  abstract takeTurn(
    participant: ParticipantName,
    turn: { readonly forMs: number; readonly regardless: boolean },
  ): Promise<ScanState | undefined>;
  /** Moves the scan on; false where another coordinator has moved it meanwhile. */
  abstract advance(participant: ParticipantName, from: ScanState, to: ScanState): Promise<boolean>;
  /** Branches that are looked up again once they are not prepared any more, oldest first. */
  abstract watched(participant: ParticipantName): Promise<readonly string[]>;
  abstract watch(participant: ParticipantName, gids: readonly string[]): Promise<void>;
  abstract unwatch(participant: ParticipantName, gids: readonly string[]): Promise<void>;
  /** Participants to compare: each that has ever answered and is not retired. */
  abstract participants(): Promise<readonly ParticipantName[]>;
}
