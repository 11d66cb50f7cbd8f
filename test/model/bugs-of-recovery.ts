/**
 * Mistakes where truth is made and looked up (protocol §3 and §5): register, inquiry, takeover,
 * pruning.
 */
import { takeOver } from '@concordat/protocol';
import { type Bug } from './bug.js';
import { NON_TRIVIALITY, TERMINATION } from './examine.js';
import { agreement, honesty, irrevocability, onlyWhatWasVoted, validity } from './invariants.js';

export const RECOVERY_BUGS: readonly Bug[] = [
  {
    name: 'takeover without the register',
    mistake: 'The owner does not answer: the other coordinator aborts what it has not decided.',
    host: { takesOverUndecided: true },
    scenario: { faults: { suspicion: 1 } },
    caughtBy: agreement,
  },
  {
    name: 'recovery aborts what is decided',
    mistake: 'Its coordinator has died, so the transaction has failed.',
    host: {
      takeOver: (branches) => {
        const step = takeOver(branches);
        const { state, messages } = step;
        if (state.phase !== 'committing') return step;
        const { unacknowledged, heuristics } = state;
        return {
          ...step,
          state: {
            phase: 'aborting',
            branches: state.branches,
            cause: { kind: 'undetermined' },
            durable: true,
            unacknowledged,
            heuristics,
          },
          messages: messages.map((one) => ({ ...one, type: 'abort' })),
        };
      },
    },
    scenario: { faults: { 'coordinator crash': 1 } },
    caughtBy: agreement,
  },
  {
    name: 'abort from silence',
    mistake: 'No decision and no live owner mean abort: why write it down first?',
    host: {
      judgeInquiry: ({ standing, owner }) =>
        standing
          ? { kind: 'tell', decision: standing }
          : owner === 'live'
            ? { kind: 'undecided' }
            : { kind: 'tell', decision: 'abort' },
    },
    scenario: { faults: { suspicion: 1, haste: 1 } },
    caughtBy: validity,
  },
  {
    name: 'an inquiry answers what it proposed',
    mistake: 'The register was read a moment ago and held nothing, so the abort has won.',
    host: { inquiryTells: (_standing, proposed) => proposed },
    scenario: { faults: { suspicion: 1, haste: 1 } },
    caughtBy: irrevocability,
  },
  {
    name: 'an inquiry does not ask the owner',
    mistake:
      'The register is the truth: what it does not hold has not been decided and may be aborted.',
    host: { inquiryAsksOwner: false },
    scenario: { participants: 1, faults: { haste: 1 } },
    caughtBy: NON_TRIVIALITY,
  },
  {
    name: 'an inquiry answered for the whole transaction',
    mistake: 'The transaction has committed, so the branch that asks has.',
    host: { inquiryIsAbout: 'the transaction' },
    scenario: { votes: ['prepared', 'read-only'], steady: false, faults: { duplicate: 1 } },
    caughtBy: onlyWhatWasVoted,
  },
  {
    name: 'a takeover proposes commit',
    mistake: 'The branch that asks is prepared, so surely all are.',
    host: { inquiryProposes: 'commit' },
    scenario: { faults: { 'coordinator crash': 1 } },
    caughtBy: validity,
  },
  {
    name: 'the last decision wins',
    mistake: 'A later decision knows more than an earlier one.',
    host: { stands: (_standing, proposed) => proposed },
    scenario: { faults: { suspicion: 1, haste: 1 } },
    caughtBy: agreement,
  },
  {
    name: 'an unknown answer taken for an abort',
    mistake: 'The insert failed, so nothing was decided.',
    host: { whenUnknown: 'take it for an abort' },
    scenario: { faults: { 'register unknown': 1 } },
    caughtBy: honesty,
    alone: true,
  },
  {
    name: 'a lost claim is not claimed again',
    mistake: 'The claim failed; the next pass will find the commit as it was.',
    host: { remembersLostClaims: false, looksForLostEnds: false },
    scenario: { participants: 1, faults: { 'coordinator crash': 1, 'register unknown': 1 } },
    caughtBy: TERMINATION,
  },
  {
    name: 'a lost end stays lost',
    mistake: 'The coordinator that finishes it lives, so it is being finished.',
    host: { looksForLostEnds: false },
    scenario: { participants: 1, faults: { 'end lost': 1 } },
    caughtBy: TERMINATION,
  },
  {
    name: 'a commit pruned before it has ended',
    mistake: 'It is older than retention.',
    host: { prunesDecisionsByAge: true },
    scenario: { faults: { 'coordinator crash': 1, pruning: 1 } },
    caughtBy: TERMINATION,
  },
  {
    name: 'what was forgotten is presumed aborted',
    mistake: 'The register holds nothing of it, and no record means abort.',
    host: { prunesDecisionsByAge: true, presumesAbortOfPruned: true },
    scenario: { faults: { 'coordinator crash': 1, pruning: 1 } },
    caughtBy: irrevocability,
  },
];
