/**
 * What a state of the model consists of: two coordinators, the facts (register and the client's answer), and
 * per participant its instances, its database and the messages to and from it. All of it immutable; a step
 * makes new parts and shares the rest.
 */
import {
  BRANCH_ABSENT,
  makeBranchId,
  type BranchId,
  type BranchState,
  type Decision,
  type Enlisted,
  type ParticipantName,
  type TransactionOutcome,
  type TransactionRecord,
  type TransactionState,
} from '@concordat/protocol';

/** Where a coordinator process runs: the owner in 1, another in 2. A crash leaves the place. */
export type Slot = 1 | 2;
export const SLOTS: readonly Slot[] = [1, 2];

export interface Outgoing {
  readonly type: 'prepare' | Decision;
  readonly branch: BranchId;
}

/** A step of which some records are not durable yet; the rest of it waits for them. */
export interface Forcing {
  readonly records: readonly TransactionRecord[];
  readonly messages: readonly Outgoing[];
  readonly notification: boolean;
}

export interface Coordinator {
  /** `other`: an incarnation that did not begin the transaction. */
  readonly role: 'owner' | 'other' | 'down';
  /** Its state in memory; null when this process knows nothing of it. */
  readonly transaction: TransactionState | null;
  /** Messages of the step being performed that have not left. Until they have, it does nothing else. */
  readonly unsent: readonly Outgoing[];
  readonly forcing: readonly Forcing[];
  /** The timer of abort notifications runs. */
  readonly notification: boolean;
  /** An end that was noted lazily and is not in the register yet. */
  readonly noting: TransactionOutcome | null;
  /** Branches that did not answer and for which no retry timer was set. */
  readonly givenUp: readonly BranchId[];
  /** The answer to a claim was lost. */
  readonly doubtfulClaim: boolean;
  /** What broke an invariant of the shipped code: the process must stop. */
  readonly broken: string | null;
}

/** What the database says of the branch: at most one of these, ever. */
export type Row = 'none' | 'prepared' | 'committed' | 'tombstone';

/**
 * Outcome row and PREPARE as two statements. `idle`: none · `sent`: the INSERT has not run ·
 * `empty`: it will find that nothing was written · `inserted`: the row is there, uncommitted, and
 * PREPARE has not run · `prepared`, or in one phase `committed`: it has landed, and its answer is on its way.
 */
export type Statement = 'idle' | 'sent' | 'empty' | 'inserted' | 'prepared' | 'committed';

/**
 * Round two as statements: COMMIT PREPARED, then the outcome row if it was not found; or ROLLBACK
 * PREPARED, then the tombstone.
 */
export type Finish = 'idle' | 'commit' | 'judge' | 'rollback' | 'fence';

export type VoteKind = 'prepared' | 'read-only' | 'committed' | 'no';

/** One process of a participant. */
export interface Instance {
  readonly branch: BranchState;
  /** What the prepare that came here is answered with; `pending` while that is open or of no matter. */
  readonly vote: VoteKind | 'pending' | 'none';
  readonly statement: Statement;
  readonly finish: Finish;
  /** Coordinators that wait for this finish; 0 for the resolver, which inquired. */
  readonly askers: readonly (Slot | 0)[];
}

/** What an acknowledgement says; the last three are heuristic. */
export type AckKind = 'committed' | 'aborted' | 'missing' | 'tombstone' | 'found-committed';
/** In one phase, also that it was past retention, and is neither of the two as far as its participant knows. */
export type Answer = AckKind | 'forgotten';

/** `commit<0` comes from a coordinator that is gone, so its answer is not received. */
export type Mail =
  | 'prepare'
  | `${Decision}<${Slot | 0}`
  | `vote ${VoteKind}`
  | 'unreached'
  | `${Answer}>${Slot}`;

/** `read@2`: coordinator 2 found nothing in the register · `propose@2`: it is about to propose abort. */
export type Inquiry = 'none' | `read@${Slot}` | `propose@${Slot}` | `reply ${Decision}`;

export interface Participant {
  readonly instances: readonly Instance[];
  readonly row: Row;
  /** A session whose client is gone and whose statements may still land. */
  readonly orphan: 'none' | 'sent' | 'inserted';
  readonly mail: readonly Mail[];
  readonly inquiry: Inquiry;
  /** A heuristic outcome that the resolver met and no coordinator has recorded yet. */
  readonly unreported: AckKind | null;
  /** The owner counts votes no more: they may come at any time and are not kept (coordinator-rules.ts). */
  readonly unheard: boolean;
  /** What this participant has ever acknowledged without calling it heuristic. */
  readonly acknowledged: readonly Decision[];
  /** Whether its operations write, once they have run; stays open where a repeat may differ. */
  readonly nature: 'open' | 'writes' | 'reads';
  /** It committed locally, having written nothing. */
  readonly readOnly: boolean;
  /** How often the branch was committed. */
  readonly applied: number;
  /** A tombstone has been here. */
  readonly tombstoned: boolean;
  /** What a person did to the prepared transaction. */
  readonly byHand: 'nothing' | 'rolled-back' | 'committed';
  /** The outcome rows were pruned. */
  readonly pruned: boolean;
  readonly broken: string | null;
}

export interface Truth {
  /** The only participant decides, by its outcome row; the register has a copy at most. */
  readonly inOnePhase: boolean;
  /** What is on record in the register. */
  readonly decision: Decision | 'none';
  readonly branches: readonly BranchId[];
  /** Who finishes a commit; 0 for an incarnation that is no more. */
  readonly finisher: Slot | 0;
  readonly ended: TransactionOutcome | null;
  /** Branches whose heuristic outcome is recorded. */
  readonly evidence: readonly BranchId[];
  /** Below the pruning mark: never decided again, and no longer known. */
  readonly pruned: boolean;
  /** Something of it was pruned, so retention is over: what was written lazily has long been durable. */
  readonly retired: boolean;
  /** A proposal to commit whose proposer is no more and which may still land. */
  readonly lateProposal: readonly BranchId[] | null;
  /** Another transaction has committed under the same idempotency key. */
  readonly keyTaken: boolean;
  /** The client's answers at the two moments it may wait for. */
  readonly toldDecided: Decision | null;
  readonly toldCompleted: TransactionOutcome | null;
  /** Every decision that any process has ever reported or acted upon. */
  readonly said: readonly Decision[];
}

/** A state, taken apart. */
export interface World {
  readonly coordinators: readonly [Coordinator, Coordinator];
  readonly truth: Truth;
  readonly participants: readonly Participant[];
}

const BRANCHES: readonly BranchId[] = [1, 2, 3, 4].map(makeBranchId);
export const branchOf = (index: number): BranchId => BRANCHES[index] as BranchId;
export const indexOf = (branch: BranchId): number => Number(branch) - 1;
export const nameOf = (branch: BranchId): ParticipantName => `p${branch}` as ParticipantName;

export function enlisted(index: number, work: 'bundled' | 'open'): Enlisted {
  const branch = branchOf(index);
  return { branch, participant: nameOf(branch), work };
}

export const IDLE_INSTANCE: Instance = {
  branch: BRANCH_ABSENT,
  vote: 'none',
  statement: 'idle',
  finish: 'idle',
  askers: [],
};

export const UNTOUCHED: Participant = {
  instances: [],
  row: 'none',
  orphan: 'none',
  mail: [],
  inquiry: 'none',
  unreported: null,
  unheard: false,
  acknowledged: [],
  nature: 'open',
  readOnly: false,
  applied: 0,
  tombstoned: false,
  byHand: 'nothing',
  pruned: false,
  broken: null,
};

export const IDLE_COORDINATOR: Coordinator = {
  role: 'other',
  transaction: null,
  unsent: [],
  forcing: [],
  notification: false,
  noting: null,
  givenUp: [],
  doubtfulClaim: false,
  broken: null,
};

export const NOTHING_DECIDED: Truth = {
  inOnePhase: false,
  decision: 'none',
  branches: [],
  finisher: 0,
  ended: null,
  evidence: [],
  pruned: false,
  retired: false,
  lateProposal: null,
  keyTaken: false,
  toldDecided: null,
  toldCompleted: null,
  said: [],
};

/** A sorted set with an element more; the same one if it was there. */
export function including<T extends string | number>(set: readonly T[], one: T): readonly T[] {
  return set.includes(one) ? set : [...set, one].sort();
}

export function excluding<T>(set: readonly T[], one: T): readonly T[] {
  return set.includes(one) ? set.filter((other) => other !== one) : set;
}
