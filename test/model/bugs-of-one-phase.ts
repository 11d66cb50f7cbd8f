/**
 * Mistakes about a transaction that its only participant decides (protocol §4.6): what is taken for a decision,
 * and where it is asked for.
 */
import { stepBranch, stepTransaction, type TransactionState } from '@concordat/protocol';
import { transaction, type Bug } from './bug.js';
import { TERMINATION } from './examine.js';
import {
  acknowledgement,
  agreement,
  honesty,
  irrevocability,
  tombstoneIsFinal,
} from './invariants.js';

const ONE_PHASE = { participants: 1, onePhase: true } as const;

type Preparing = Extract<TransactionState, { phase: 'preparing' }>;
const inTwo = (state: Preparing): Preparing => ({ ...state, inOnePhase: false });

export const ONE_PHASE_BUGS: readonly Bug[] = [
  {
    name: 'one phase: a no taken for an abort',
    mistake: 'The branch says that it did not commit.',
    host: transaction((step, state, event) =>
      state.phase === 'preparing' && event.type === 'voted' && event.vote.kind === 'no'
        ? stepTransaction(inTwo(state), event)
        : step,
    ),
    scenario: { ...ONE_PHASE, faults: { 'database unknown': 1 } },
    caughtBy: honesty,
    alone: true,
  },
  {
    name: 'one phase: silence taken for an abort',
    mistake: 'Its time is over, and no commit was heard of.',
    host: transaction((step, state, event) =>
      state.phase === 'preparing' && event.type === 'deadline-passed'
        ? stepTransaction(inTwo(state), event)
        : step,
    ),
    scenario: ONE_PHASE,
    caughtBy: honesty,
    alone: true,
  },
  {
    name: 'one phase: the register is taken for the one that decides',
    mistake: 'It has no decision, and its owner is gone: that is an abort, as ever.',
    host: { asksWhereItIsDecided: false },
    scenario: { ...ONE_PHASE, faults: { 'coordinator crash': 1 } },
    caughtBy: agreement,
  },
  {
    name: 'one phase: its own row taken for a tombstone',
    mistake: 'The insert of the tombstone met a row, so one is there.',
    host: { foundInOnePhase: () => 'aborted' },
    scenario: ONE_PHASE,
    caughtBy: acknowledgement,
    alone: true,
  },
  {
    name: 'one phase: an outcome row pruned by age',
    mistake: 'The transaction has ended, and its row is old.',
    host: { prunesBeforeTheRegister: true, closesWhatItForgets: false },
    scenario: { ...ONE_PHASE, faults: { pruning: 1, 'coordinator crash': 1 } },
    caughtBy: irrevocability,
    alone: true,
  },
  {
    name: 'one phase: a tombstone forgotten, and a late prepare let in',
    mistake: 'Retention is longer than any prepare is late.',
    host: { closesWhatItForgets: false },
    scenario: { ...ONE_PHASE, faults: { pruning: 2 } },
    caughtBy: tombstoneIsFinal,
  },
  {
    name: 'one phase: what is forgotten is asked for without end',
    mistake: 'It has not said which of the two it is, so it is asked again.',
    host: transaction((step, state, event) =>
      event.type === 'forgotten'
        ? stepTransaction(state, { type: 'unanswered', branch: event.branch })
        : step,
    ),
    scenario: { ...ONE_PHASE, faults: { pruning: 2, suspicion: 1 } },
    caughtBy: TERMINATION,
  },
  {
    name: 'one phase: what is forgotten taken for an abort',
    mistake: 'Its participant has no row of it, so it has not committed.',
    host: transaction((step, state, event) =>
      event.type === 'forgotten'
        ? stepTransaction(state, {
            type: 'acknowledged',
            branch: event.branch,
            outcome: { kind: 'aborted' },
          })
        : step,
    ),
    scenario: { ...ONE_PHASE, faults: { pruning: 2, suspicion: 1 } },
    caughtBy: honesty,
  },
  {
    name: 'one phase: committed without the tag',
    mistake: 'COMMIT resolved, so the branch has committed.',
    host: {
      stepBranch: (state, event) =>
        event.type === 'prepare-answered' && event.result.kind === 'rolled-back'
          ? stepBranch(state, { type: 'prepare-answered', result: { kind: 'committed' } })
          : stepBranch(state, event),
    },
    scenario: ONE_PHASE,
    caughtBy: honesty,
    alone: true,
  },
];
