/**
 * A branch as one instance of a participant holds it: the machine's state, the open session, who
 * waits for an answer. Volatile: the database holds what is true, and any instance can finish.
 */
import {
  BRANCH_ABSENT,
  type BranchState,
  type Gid,
  type VoteAgainst,
  formatGid,
} from '@concordat/protocol';
import type {
  BranchKey,
  BranchWait,
  FinishAnswer,
  OperationCall,
  PrepareAnswer,
  WorkAnswer,
} from './ports/index.js';

export interface Recalling {
  readonly behind?: string;
  readonly waitedSince: number;
  readonly wait?: BranchWait;
}

/** It may be in a cycle of waits: since when that is said, and until when it counts without a session. */
export interface Suspected {
  readonly since: number;
  readonly until: number;
}

export interface LockWaitSeen {
  readonly behind: string;
  readonly since: number;
  readonly behindSince: number;
}

export class LocalBranch<Session> {
  state: BranchState = BRANCH_ABSENT;
  readonly gid: Gid;
  session?: Session;
  /** Why this branch will vote no, once it is known. */
  doomed?: VoteAgainst;
  /** Calls run one after another: the last of them. */
  tail: Promise<unknown> = Promise.resolve();
  /** The last numbered call of open work, and its answer: a repeat gets the same. */
  lastCall?: { readonly call: number; readonly answer: Promise<WorkAnswer> };
  /** The answer to the prepare, once one came: a repeat gets the same. */
  voting?: Promise<PrepareAnswer>;
  /** Its PREPARE, or COMMIT of one phase, while the database has not answered it. */
  closing?: Promise<unknown> | undefined;
  /** Whether it is open work, whose refusal must be remembered until the transaction ends. */
  opened = false;
  /** Calls that opened it or ran in it, as the owner counts them. */
  calls = 0;
  /** Tells it from all others that came here. */
  arrival = 0;
  /** When its client asked for its transaction, by the engine's clock: the earliest goes first. */
  place = 0;
  /** When its owner last sent a message, by the engine's clock. */
  heardAt = 0;
  /** When its time is over, by the engine's clock. */
  endsAt = 0;
  /** Whether its operations are at work in its session. */
  running = false;
  /** Whether nothing of what is at work has left this instance: it could run again. */
  canRunAgain = false;
  /** What its statement was last seen to wait for, and since when, by the engine's clock. */
  lockWait?: LockWaitSeen | undefined;
  /**
   * It waits without a session: it was recalled while it waited for a lock behind this one, or others of its crowd
   * are at work.
   */
  recalled?: Recalling | undefined;
  /** What it waited for in the database's words, seen before its session was recalled. */
  recalledFrom?: BranchWait | undefined;
  /** How often it was. */
  recalls = 0;
  /** Since when it may have a session, by the engine's clock. */
  admittedAt = 0;
  /** Its number in the order in which branches here were done with their first operations; 0 before. */
  worked = 0;
  /** It was recalled, and runs again. */
  runsAgain = false;
  /** It was recalled, and may be in a cycle of waits that cannot be seen while it has no session. */
  suspected?: Suspected | undefined;
  /** Ends its wait for a session. */
  stopWaiting?: ((why: VoteAgainst) => void) | undefined;
  cancelLease?: () => void;
  cancelDeadline?: () => void;
  idleLeaseMs = 0;
  /** When it was found or made prepared, by the engine's clock. */
  preparedAt?: number;
  private finishWaiters: ((answer: FinishAnswer) => void)[] = [];
  private readonly enders = new Set<() => void>();

  /** `work`: the operations with which it begins, as far as they are known before it does. */
  constructor(
    readonly key: BranchKey,
    readonly work: readonly OperationCall[] = [],
  ) {
    this.gid = formatGid(key);
  }

  awaitFinish(): Promise<FinishAnswer> {
    return new Promise((resolve) => this.finishWaiters.push(resolve));
  }

  answerFinishWaiters(answer: FinishAnswer): void {
    const waiting = this.finishWaiters;
    this.finishWaiters = [];
    for (const resolve of waiting) resolve(answer);
  }

  /** Calls `ender` when the session ends under a running operation. */
  whenSessionEnds(ender: () => void): () => void {
    this.enders.add(ender);
    return () => this.enders.delete(ender);
  }

  takeSession(): Session | undefined {
    const { session } = this;
    this.session = undefined;
    if (session !== undefined) for (const ender of [...this.enders]) ender();
    return session;
  }
}

/** The work's outputs, or undefined when its session ended under it (deadline, lease, abort). */
export function untilSessionEnds<Session>(
  local: LocalBranch<Session>,
  work: Promise<readonly unknown[]>,
): Promise<readonly unknown[] | undefined> {
  return new Promise((resolve, reject) => {
    const unsubscribe = local.whenSessionEnds(() => resolve(undefined));
    work.then(
      (outputs) => {
        unsubscribe();
        resolve(outputs);
      },
      (error: unknown) => {
        unsubscribe();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
