/**
 * What the model runs: the shipped machines as they are, and the few points at which the host around
 * them could go wrong, each a small function that a seeded bug can replace. `SHIPPED` is the product:
 * its four machines are libs/protocol's own, and its points say what libs/engine, the register's
 * statements and the resource's statements do.
 */
import {
  judgeInquiry,
  stepBranch,
  stepTransaction,
  takeOver,
  type Decision,
} from '@concordat/protocol';
import type { AckKind, Row, Truth } from './world.js';

export interface Host {
  readonly stepTransaction: typeof stepTransaction;
  readonly stepBranch: typeof stepBranch;
  readonly takeOver: typeof takeOver;
  readonly judgeInquiry: typeof judgeInquiry;

  /** perform-transaction.ts: records are durable before messages leave. */
  readonly order: 'force, then send' | 'send, then force';
  /** perform-transaction.ts: steps are made durable one after another. */
  readonly forces: 'in line' | 'side by side';
  /** perform-transaction.ts: an unknown result of the register is asked again. */
  readonly whenUnknown: 'ask again' | 'take it for an abort';

  /** The register: what is on record after a proposal. Write-once. */
  readonly stands: (standing: Truth['decision'], proposed: Decision) => Decision;
  /** inquirer.ts: what an inquiry proposes when neither register nor owner knows. */
  readonly inquiryProposes: Decision;
  /** inquirer.ts: what it then answers. */
  readonly inquiryTells: (standing: Decision, proposed: Decision) => Decision;
  /** inquirer.ts: a commit on record is the answer for the branches that it names only. */
  readonly inquiryIsAbout: 'the branch' | 'the transaction';
  /** inquirer.ts: whether the owner is asked before an abort is proposed. */
  readonly inquiryAsksOwner: boolean;
  /** recoverer.ts: what a claim whose answer was lost has claimed is looked for. */
  readonly remembersLostClaims: boolean;
  /** recoverer.ts: an unended commit under one's own name that is not in memory is taken up. */
  readonly looksForLostEnds: boolean;
  /** recoverer.ts takes over commits on record only; undecided transactions are left to their branches. */
  readonly takesOverUndecided: boolean;

  /** branch.sql.ts: the outcome row's key lets no second row in. */
  readonly keyIsFree: (row: Row) => boolean;
  /** second-phase.ts: what is there after the tombstone's insert, first writer wins. */
  readonly afterFence: (row: Row) => Row;
  /** second-phase.ts: what a missing prepared transaction means when it was to be committed. */
  readonly judgeMissing: (row: Row) => AckKind;
  /** housekeeping.ts: outcome rows go below the low-water mark and past retention only. */
  readonly prunesOutcomesByAge: boolean;
  /** pruning.sql.ts: a decision goes when it has ended, below the low-water mark, past retention. */
  readonly prunesDecisionsByAge: boolean;
  /** inquirer.ts: what is below the pruning mark is no longer known. */
  readonly presumesAbortOfPruned: boolean;
  /** resolver.ts: without an answer a branch in doubt waits. */
  readonly participantGivesUp: boolean;
  /** second-phase.ts: in one phase the branch's own row is the decision. */
  readonly foundInOnePhase: (row: Row) => AckKind;
  /** inquirer.ts: in one phase the participant is asked, and not the register. */
  readonly asksWhereItIsDecided: boolean;
  /** branch.sql.ts: in one phase outcome rows are pruned below the register's mark only. */
  readonly prunesBeforeTheRegister: boolean;
  /** pruning.sql.ts: in one phase what is forgotten is closed before: no row of it is written any more. */
  readonly closesWhatItForgets: boolean;
  /** branch-manager.ts: an acknowledgement leaves when the database has answered. */
  readonly acknowledges: 'when finished' | 'when asked';
}

export const SHIPPED: Host = {
  stepTransaction,
  stepBranch,
  takeOver,
  judgeInquiry,
  order: 'force, then send',
  forces: 'in line',
  whenUnknown: 'ask again',
  stands: (standing, proposed) => (standing === 'none' ? proposed : standing),
  inquiryProposes: 'abort',
  inquiryTells: (standing) => standing,
  inquiryIsAbout: 'the branch',
  inquiryAsksOwner: true,
  remembersLostClaims: true,
  looksForLostEnds: true,
  takesOverUndecided: false,
  keyIsFree: (row) => row === 'none',
  afterFence: (row) => (row === 'none' ? 'tombstone' : row),
  judgeMissing: (row) =>
    row === 'committed' ? 'committed' : row === 'tombstone' ? 'tombstone' : 'missing',
  prunesOutcomesByAge: false,
  prunesDecisionsByAge: false,
  presumesAbortOfPruned: false,
  participantGivesUp: false,
  foundInOnePhase: (row) => (row === 'committed' ? 'committed' : 'aborted'),
  asksWhereItIsDecided: true,
  prunesBeforeTheRegister: false,
  closesWhatItForgets: true,
  acknowledges: 'when finished',
};
