/** Waits for locks as the admin API shows them. */
import type { LockHolder, LockWait, Open } from '../types.js';

/** A wait, with who waits and where. */
export interface SessionWait extends LockWait {
  readonly participant: string;
  readonly waiter: LockHolder;
}

/** What waits for something that a transaction holds. */
export interface Blocks {
  readonly sessions: number;
  /** Whose branches are among them. */
  readonly transactions: readonly string[];
  /** When the first of them began to wait. */
  readonly since: string;
  readonly asOf: string;
  readonly participants: readonly string[];
}

/** Who holds something up at a participant. */
export interface Blocker extends Omit<Blocks, 'participants'> {
  readonly participant: string;
  readonly holder: LockHolder;
}

/** Transactions that wait, or waited, for each other. */
export interface WaitCycle {
  readonly state: Open<'waiting' | 'broken'>;
  /** When it was broken, where that is known. */
  readonly at?: string;
  /** The transaction that gave way. */
  readonly victim?: string;
  readonly waits: readonly {
    readonly transactionId: string;
    readonly participant: string;
    readonly relation?: string;
    readonly row?: string;
    readonly heldBy: string;
  }[];
}
