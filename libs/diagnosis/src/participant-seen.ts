/**
 * A participant as of its last answers, as far as a diagnosis needs it. Guards "what is not known is absent":
 * a number is there only while an instance that sees its database reports it.
 */
import type { LockWait } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';

export type ParticipantState = 'up' | 'troubled' | 'silent';

/** What was prepared in a database when it was last seen. */
export interface LastKnown {
  readonly inDoubt: number;
  readonly atMs: number;
}

/** A wait as a participant has reported it. */
export interface SeenLockWait extends LockWait {
  readonly participant: ParticipantName;
  /** When it began: one instant as long as it lasts. */
  readonly sinceMs: number;
  readonly heardAtMs: number;
}

export interface SeenLockWaits {
  readonly waits: readonly SeenLockWait[];
  readonly truncated: boolean;
}

export interface ParticipantSeen {
  readonly participant: ParticipantName;
  readonly state: ParticipantState;
  /** Sessions that wait, by the branch they wait for, as far as that is known. */
  readonly blockedBy: ReadonlyMap<string, number>;
  /** Which sessions wait for which in its database; absent where no instance reports it now. */
  readonly lockWaits?: SeenLockWaits;
  /** Of its outcome table, where it says so: a participant may be another's work. */
  readonly schema?: string;
  readonly lastSeenAtMs?: number;
  /** Absent where its database has never been seen. */
  readonly lastKnown?: LastKnown;
}

/** Commits on record that each participant has not acknowledged; undefined where that is not known. */
export type Undelivered = ReadonlyMap<ParticipantName, number> | undefined;
