/**
 * The transaction machine: states, events and what a step demands of its host. A step returns data;
 * the host performs it in one stated order (write `records` as each says, then send `messages`, then
 * set `timers`). Guards protocol §4: no message makes a participant commit before the decision is in the
 * register, because commit messages come only out of the step that learns what is on record there.
 */
import type { AbortCause, Decision } from './decision.js';
import type { BranchId, ParticipantName } from './identity.js';
import type { BranchOutcome, HeuristicBranch, TransactionOutcome } from './outcome.js';
import type { Vote } from './vote.js';

/** A branch as the coordinator knows it. */
export interface Enlisted {
  readonly branch: BranchId;
  readonly participant: ParticipantName;
  /**
   * `bundled`: its operations travel in the prepare message, nothing has been sent yet · `open`: it
   * already lives in an open database transaction on one instance, so it has been contacted.
   */
  readonly work: 'bundled' | 'open';
}

export type Branches = ReadonlyMap<BranchId, Enlisted>;

/**
 * How branches are asked to prepare. `parallel`: all at once · `ordered`: one after another, by their
 * participants' names, the next when the one before has said yes.
 */
export type PrepareOrder = 'parallel' | 'ordered';

/** What the coordinator received for one prepare: a vote, proof of non-delivery, or nothing so far. */
export type Heard = Vote | { readonly kind: 'unreached' } | null;

export type TransactionState =
  /** Branches may join; no branch has been asked to prepare. */
  | { readonly phase: 'active'; readonly branches: Branches }
  /** Round one is out. `unasked`: branches whose turn to be asked has not come, in their order. */
  | {
      readonly phase: 'preparing';
      readonly branches: Branches;
      readonly heard: ReadonlyMap<BranchId, Heard>;
      readonly unasked: readonly BranchId[];
      /** Its only branch commits by itself, and that is the decision (protocol §4.6). */
      readonly inOnePhase: boolean;
    }
  /**
   * In one phase, and the branch's vote does not decide: its participant is asked for a tombstone until it
   * answers which of the two rows is there. `cause` is the cause of the abort if it is the tombstone.
   */
  | {
      readonly phase: 'settling';
      readonly branches: Branches;
      readonly branch: BranchId;
      readonly cause: AbortCause;
    }
  /** Commit was proposed. Unknown, in either direction, until the register answers. */
  | {
      readonly phase: 'deciding';
      readonly branches: Branches;
      readonly prepared: readonly BranchId[];
    }
  /** Commit is on record; these branches have not reported yet. */
  | {
      readonly phase: 'committing';
      readonly branches: Branches;
      readonly unacknowledged: ReadonlySet<BranchId>;
      readonly heuristics: readonly HeuristicBranch[];
    }
  /** Abort: presumed (`durable: false`) or on record in the register. */
  | {
      readonly phase: 'aborting';
      readonly branches: Branches;
      readonly cause: AbortCause;
      readonly durable: boolean;
      readonly unacknowledged: ReadonlySet<BranchId>;
      readonly heuristics: readonly HeuristicBranch[];
    }
  /**
   * Nothing is left to do. `silent`: branches of a presumed abort that never answered; they inquire. Without a
   * `decision`: in one phase, its participant does not know any more what it decided, and no process does.
   */
  | {
      readonly phase: 'ended';
      readonly branches: Branches;
      readonly decision?: Decision;
      readonly cause?: AbortCause;
      readonly outcome: TransactionOutcome;
      readonly heuristics: readonly HeuristicBranch[];
      readonly silent: readonly BranchId[];
    };

export type TransactionPhase = TransactionState['phase'];

export type TransactionEvent =
  | { readonly type: 'enlisted'; readonly branch: Enlisted }
  | {
      readonly type: 'prepare-requested';
      readonly order?: PrepareOrder;
      /** Of a transaction with one bundled branch, whose id says so too. */
      readonly inOnePhase?: boolean;
    }
  | { readonly type: 'voted'; readonly branch: BranchId; readonly vote: Vote }
  /** Proof that a prepare reached no process ("no responders"). */
  | { readonly type: 'unreached'; readonly branch: BranchId }
  | { readonly type: 'deadline-passed' }
  | { readonly type: 'rollback-requested'; readonly cause: AbortCause }
  /** What is on record in the register, from any proposer. */
  | { readonly type: 'decided'; readonly decision: Decision; readonly cause?: AbortCause }
  | { readonly type: 'acknowledged'; readonly branch: BranchId; readonly outcome: BranchOutcome }
  /** A commit or abort message got no answer, a "busy", or no responder. */
  | { readonly type: 'unanswered'; readonly branch: BranchId }
  /** In one phase: its participant answers that it does not know any more what it decided, and never will. */
  | { readonly type: 'forgotten'; readonly branch: BranchId; readonly reason: string }
  | { readonly type: 'retry-due'; readonly branch: BranchId }
  /** The time for notifying the branches of a presumed abort is over. */
  | { readonly type: 'notification-over' };

/**
 * What the host writes down. `forced`: durable before any later record is written, before any message of the
 * same step leaves and before its end is reported · `lazy`: written some time later, and no step waits for
 * it.
 */
export type TransactionRecord =
  /** Propose commit, once; the answer comes back as `decided`. */
  | {
      readonly type: 'propose-commit';
      readonly durability: 'forced';
      readonly branches: readonly Enlisted[];
    }
  /** A heuristic outcome: never lost, kept until an operator resolves it. */
  | {
      readonly type: 'heuristic';
      readonly durability: 'forced';
      readonly decision: Decision;
      readonly branch: HeuristicBranch;
    }
  /** Every branch of a commit on record has reported. Losing it costs one repeated round. */
  | {
      readonly type: 'ended';
      readonly durability: 'lazy';
      readonly outcome: TransactionOutcome;
    };

export interface TransactionMessage {
  /** `settle`: an abort that is not decided yet; the participant answers what is decided. */
  readonly type: 'prepare' | 'commit' | 'abort' | 'settle';
  readonly branch: BranchId;
  readonly participant: ParticipantName;
}

export type TransactionTimer =
  /** Ask again after a backoff; the host counts attempts and draws the delay. */
  | { readonly type: 'retry'; readonly branch: BranchId }
  /** Begin the bounded time in which an undurable abort is sent to its branches. */
  | { readonly type: 'notification' }
  /** The deadline no longer matters. */
  | { readonly type: 'cancel-deadline' };

/**
 * The host must, in this order: write `records` one by one, waiting for each that is `forced`; only then
 * send `messages`; then set `timers`.
 */
export interface TransactionStep {
  readonly state: TransactionState;
  readonly records: readonly TransactionRecord[];
  readonly messages: readonly TransactionMessage[];
  readonly timers: readonly TransactionTimer[];
}

/** Where every transaction starts. */
export const TRANSACTION_BEGUN: TransactionState = { phase: 'active', branches: new Map() };

/** The state in which a coordinator takes over a commit on record of another incarnation. */
export function takeOver(
  branches: readonly Enlisted[],
  heuristics: readonly HeuristicBranch[] = [],
): TransactionStep {
  const known = new Map(branches.map((one) => [one.branch, one]));
  return {
    state: {
      phase: 'committing',
      branches: known,
      unacknowledged: new Set(known.keys()),
      heuristics,
    },
    records: [],
    messages: branches.map(({ branch, participant }) => ({ type: 'commit', branch, participant })),
    timers: [],
  };
}
