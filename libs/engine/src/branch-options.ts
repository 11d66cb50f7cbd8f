/**
 * What a branch manager is given: ports, limits, and the operations of the participant. Limits keep
 * work out; none of them ever ends a branch that has prepared.
 */
import type { ClusterId, InstanceId, ParticipantName, VoteAgainst } from '@concordat/protocol';
import type {
  BranchKey,
  Clock,
  CoordinatorChannel,
  OperationCall,
  Resource,
} from './ports/index.js';

export interface BranchManagerPorts<Session> {
  readonly resource: Resource<Session>;
  readonly coordinators: CoordinatorChannel;
  readonly clock: Clock;
}

export interface BranchManagerOptions {
  readonly cluster: ClusterId;
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /**
   * Prepared branches this instance may have open at once, those that earlier processes left here
   * included; below the server's prepared slots.
   */
  readonly inDoubtMax: number;
  /** Branches with an open session at once; more wait for theirs. */
  readonly sessionsMax: number;
  /** Sessions that may wait for a lock while other branches need one. Default: half of `sessionsMax`. */
  readonly lockWaitersMax?: number;
  /** Milliseconds that an abort waits for a PREPARE of its branch that is under way here. Default: 250. */
  readonly closingPatienceMs?: number;
}

/** Runs one operation in the branch's session. Throws {@link VoteNoError} to refuse. */
export type RunOperation<Session> = (
  session: Session,
  call: OperationCall,
  branch: BranchKey,
) => Promise<unknown>;

/** Validates a call before any database transaction begins. */
export type CheckOperation = (call: OperationCall) => OperationCall | VoteAgainst;

export interface Operations<Session> {
  readonly check: CheckOperation;
  readonly run: RunOperation<Session>;
  /** Called when a branch has got a session. */
  readonly begun?: (branch: BranchKey) => void;
  /** Whether these calls may run more than once in a branch, the runs before the last one undone. */
  readonly mayRunAgain?: (calls: readonly OperationCall[]) => boolean;
  /** Called when a branch will run again, after its work was rolled back. */
  readonly undone?: (branch: BranchKey) => void;
  /** Called with failures that are not refusals; the vote itself carries no internals. */
  readonly failed?: (error: unknown, call: OperationCall | undefined, branch: BranchKey) => void;
  /** Called when the resource threw, which it never should; the service's own code did not. */
  readonly broke?: (error: unknown, branch: BranchKey) => void;
  /** Called with branches that were running when their time or their lease was over. */
  readonly expired?: (vote: VoteAgainst, branch: BranchKey) => void;
}

export interface BranchManagerSnapshot {
  /** Branches with an open session here. */
  readonly working: number;
  /** Branches prepared here whose decision has not been carried out here. */
  readonly inDoubt: number;
  /** Branches that wait for a lock without a session: they gave it back, or wait for the turn of their crowd. */
  readonly recalled: number;
}
