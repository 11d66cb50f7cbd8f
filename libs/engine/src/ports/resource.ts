/**
 * A resource: what prepares. For a Postgres database this is where BEGIN, the outcome row, PREPARE
 * TRANSACTION, the tombstone and their traps live (protocol §4.2, §4.4). `Session` is the open
 * database transaction of one branch; only the resource that made it can look inside.
 *
 * Contract of every implementation:
 * - The outcome row is written in the branch's own transaction and appears if and only if the branch
 *   committed; a tombstone has the same key, first writer wins.
 * - `prepare` says `prepared` only when the database said so in so many words, and `unknown`
 *   whenever the answer was lost. It never throws for what the database does.
 * - `commit` and `abort` are idempotent and may run anywhere, at any time, several at once.
 * - A session that was prepared, rolled back or left in doubt never returns to its pool unclean.
 */
import type { BranchWait } from './waits.js';
import type {
  AbortResult,
  ClusterId,
  CommitResult,
  GidParts,
  ParticipantName,
  PrepareResult,
  PreparedEntry,
  VoteAgainst,
} from '@concordat/protocol';

/** What a branch is, for the database: everything that goes into its outcome row. */
export interface BranchKey extends GidParts {
  readonly participant: ParticipantName;
}

export type Begun<Session> =
  | { readonly kind: 'begun'; readonly session: Session }
  /** No connection, no database: a no that says whether a retry helps. */
  | { readonly kind: 'no'; readonly vote: VoteAgainst };

export interface PreparedInventory {
  readonly entries: readonly PreparedEntry[];
  /** Prepared transactions of the whole server, ours or not, and how many it allows. */
  readonly slotsUsed: number;
  readonly slotsMax: number;
}

export abstract class Resource<Session = unknown> {
  /** BEGIN with lock and statement time-outs from the time left. */
  abstract begin(
    branch: BranchKey,
    limits: { timeLeftMs: number; idleLeaseMs?: number },
  ): Promise<Begun<Session>>;
  /** Outcome row, then PREPARE; or a local commit when nothing was written. Ends the session. */
  abstract prepare(branch: BranchKey, session: Session): Promise<PrepareResult>;
  /**
   * Ends the session without a trace. Never throws. `because` is why a branch ends while its operation may
   * still be running there; that operation gets it as its error.
   */
  abstract rollback(session: Session, because?: VoteAgainst): Promise<void>;
  /**
   * Which of these sessions wait for a lock in a statement that has been under way since the last look,
   * and behind whom: sessions with the same name wait for the same one in the end. Rejects when it
   * cannot look. A resource that cannot know it reports none.
   */
  lockWaits(_sessions: readonly Session[]): Promise<ReadonlyMap<Session, string>> {
    return Promise.resolve(new Map());
  }
  /**
   * Ends the waits of those sessions that still wait for a lock, so that they can be rolled back and returned
   * clean. Only a session that has not been asked to prepare is ended. Their operations get `because` as the
   * error.
   */
  endLockWaits(_sessions: readonly Session[], _because: VoteAgainst): Promise<void> {
    return Promise.resolve();
  }
  /** Whether `endLockWaits` has failed a statement of this session: its work is undone and cannot go on. */
  isRecalled(_session: Session): boolean {
    return false;
  }
  /** What a failed operation means as a vote: SQLSTATE to code and retryability. */
  abstract voteOf(error: unknown): VoteAgainst | undefined;
  /** COMMIT PREPARED, with the outcome row as judge of 42704. Never throws. */
  abstract commit(branch: BranchKey): Promise<CommitResult>;
  /** ROLLBACK PREPARED, then the tombstone. Never throws. */
  abstract abort(branch: BranchKey): Promise<AbortResult>;
  /**
   * The prepared transactions of this cluster in this database. Rejects when the database is away or
   * a standby: then nothing is known, which is not the same as nothing being there.
   */
  abstract listPrepared(cluster: ClusterId): Promise<PreparedInventory>;
  /**
   * Which sessions of this instance wait for a lock, seen after this call began. `among` the branches
   * given, however short their wait; without it, among all that have been in one statement for a while,
   * which asks the database nothing while there are none. Rejects when the database cannot be asked.
   */
  abstract waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]>;
  /** What the last call of `waits` without `among` found, without asking again. */
  waitsSeen(): readonly BranchWait[] {
    return [];
  }
}
