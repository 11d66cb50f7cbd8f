/**
 * Mistakes in the two rounds, as the owner drives them (protocol §4): what it counts, what it sends
 * before what, and when it takes something for finished.
 */
import { stepTransaction } from '@concordat/protocol';
import { decided, ended, transaction, type Bug } from './bug.js';
import { TERMINATION } from './examine.js';
import {
  decidedFirst,
  endedLast,
  evidenceIsKept,
  heuristicsAreTold,
  inTurn,
  irrevocability,
  noFalseAlarm,
  unbroken,
  validity,
} from './invariants.js';

export const OWNER_BUGS: readonly Bug[] = [
  {
    name: 'send before force',
    mistake: 'Commit messages leave with the proposal: the register will take it anyway.',
    host: {
      ...transaction((step, state) =>
        state.phase === 'preparing' && step.state.phase === 'deciding'
          ? { ...decided(step, 'commit'), records: step.records }
          : step,
      ),
      order: 'send, then force',
    },
    scenario: {},
    caughtBy: decidedFirst,
    alone: true,
  },
  {
    name: 'commit after one vote',
    mistake: 'The first yes decides; the others will follow.',
    host: transaction((step, state, event) => {
      if (state.phase !== 'preparing' || event.type !== 'voted') return step;
      if (event.vote.kind !== 'prepared' || step.state.phase !== 'preparing') return step;
      const heard = new Map([...state.heard.keys()].map((branch) => [branch, event.vote] as const));
      const open = new Map([...heard, [event.branch, null] as const]);
      return stepTransaction({ ...state, heard: open }, event);
    }),
    scenario: {},
    caughtBy: validity,
  },
  {
    name: 'the next is asked before the vote',
    mistake: 'It will say yes anyway; the next one can begin meanwhile.',
    host: transaction((step, _state, event) => {
      if (event.type !== 'prepare-requested' || step.state.phase !== 'preparing') return step;
      const [branch] = step.state.unasked;
      const next = branch && step.state.branches.get(branch);
      if (!next) return step;
      const { participant } = next;
      return { ...step, messages: [...step.messages, { type: 'prepare', branch, participant }] };
    }),
    scenario: { order: 'ordered' },
    caughtBy: inTurn,
  },
  {
    name: 'in the order of the request',
    mistake: 'The client names them in an order; that one will do.',
    host: {
      stepTransaction: (state, event) => {
        const step = stepTransaction(state, event);
        if (event.type !== 'prepare-requested' || step.state.phase !== 'preparing') return step;
        const turns = [...step.state.branches.values()].reverse();
        const [first, ...later] = turns;
        if (!first || step.state.unasked.length === 0) return step;
        const unasked = later.map((one) => one.branch);
        const { branch, participant } = first;
        const messages = [{ type: 'prepare', branch, participant } as const];
        return { ...step, state: { ...step.state, unasked }, messages };
      },
    },
    scenario: { order: 'ordered' },
    caughtBy: inTurn,
  },
  {
    name: 'a missing vote counts as a yes',
    mistake: 'All that answered said yes.',
    host: transaction((step, state, event) => {
      if (state.phase !== 'preparing' || event.type !== 'deadline-passed') return step;
      const prepared = [...state.heard].filter(([, one]) => one?.kind === 'prepared');
      const [first] = prepared;
      if (!first) return step;
      const heard = new Map([...state.heard.keys()].map((branch) => [branch, first[1]]));
      heard.set(first[0], null);
      const vote = { kind: 'prepared' } as const;
      return stepTransaction({ ...state, heard }, { type: 'voted', branch: first[0], vote });
    }),
    scenario: {},
    caughtBy: validity,
  },
  {
    name: 'a vote counted twice',
    mistake: 'As many yes votes as participants have come in.',
    host: transaction((step, state, event) => {
      if (state.phase !== 'preparing' || event.type !== 'voted') return step;
      if (event.vote.kind !== 'prepared' || !state.heard.get(event.branch)) return step;
      const open = [...state.heard].find(([, one]) => one === null);
      return open ? stepTransaction(state, { ...event, branch: open[0] }) : step;
    }),
    scenario: { faults: { duplicate: 1 } },
    caughtBy: noFalseAlarm,
    alone: true,
  },
  {
    name: 'a late yes reopens the vote',
    mistake: 'Now all have said yes after all.',
    host: transaction((step, state, event) => {
      if (state.phase !== 'aborting' || event.type !== 'voted') return step;
      if (event.vote.kind !== 'prepared') return step;
      const { branches } = state;
      const heard = new Map([...branches.keys()].map((one) => [one, event.vote] as const));
      const open = new Map([...heard, [event.branch, null] as const]);
      const preparing = { phase: 'preparing', branches, heard: open } as const;
      return stepTransaction({ ...preparing, unasked: [], inOnePhase: false }, event);
    }),
    scenario: {},
    caughtBy: irrevocability,
  },
  {
    name: 'a read-only branch counted as a holder',
    mistake: 'It voted, and it was not a no, so it gets the commit like the others.',
    host: transaction((step, state) => {
      if (state.phase !== 'preparing' || step.state.phase !== 'deciding') return step;
      const branches = [...state.branches.values()];
      const prepared = branches.map((one) => one.branch);
      const records = [{ type: 'propose-commit', durability: 'forced', branches } as const];
      return { ...step, state: { ...step.state, prepared }, records };
    }),
    scenario: { votes: ['prepared', 'read-only'] },
    caughtBy: validity,
  },
  {
    name: 'deadline aborts while deciding',
    mistake: 'The time is over, so the transaction aborts.',
    host: transaction((step, state, event) =>
      state.phase === 'deciding' && event.type === 'deadline-passed'
        ? decided(step, 'abort')
        : step,
    ),
    scenario: {},
    caughtBy: unbroken,
  },
  {
    name: 'abort skips those that voted no',
    mistake: 'Who voted no has rolled back: there is no need to notify it.',
    host: transaction((step, state) => {
      if (state.phase !== 'preparing' || step.state.phase !== 'aborting') return step;
      const { cause } = step.state;
      if (cause.kind !== 'vote') return step;
      const unacknowledged = new Set(step.state.unacknowledged);
      unacknowledged.delete(cause.branch);
      const messages = step.messages.filter((one) => one.branch !== cause.branch);
      return { ...step, state: { ...step.state, unacknowledged }, messages };
    }),
    scenario: { faults: { 'database unknown': 1 } },
    caughtBy: endedLast,
  },
  {
    name: 'an abort forgotten too early',
    mistake:
      'Who has not voted has nothing to roll back: those that have get the abort, and that is all.',
    host: transaction((step, state, event) => {
      if (state.phase !== 'preparing' || step.state.phase !== 'aborting') return step;
      const spoken = new Set([...state.heard].filter(([, one]) => one).map(([branch]) => branch));
      if (event.type === 'voted') spoken.add(event.branch);
      const messages = step.messages.filter((one) => spoken.has(one.branch));
      if (spoken.size > 0) {
        return { ...step, state: { ...step.state, unacknowledged: spoken }, messages };
      }
      return stepTransaction(
        { ...step.state, unacknowledged: new Set() },
        { type: 'notification-over' },
      );
    }),
    scenario: {},
    caughtBy: endedLast,
  },
  {
    name: 'a commit forgotten before all have acknowledged',
    mistake: 'One participant has committed, so the transaction has.',
    host: transaction((step, state, event) =>
      state.phase === 'committing' && event.type === 'acknowledged' ? ended(step) : step,
    ),
    scenario: {},
    caughtBy: endedLast,
  },
  {
    name: 'a retry limit drops a commit',
    mistake: 'It has been asked often enough; somebody will look into it.',
    host: transaction((step, state, event) =>
      state.phase === 'committing' && event.type === 'unanswered' ? { ...step, timers: [] } : step,
    ),
    scenario: { faults: { loss: 1 } },
    caughtBy: TERMINATION,
  },
  {
    name: 'a retry limit ends a commit',
    mistake: 'It has been asked often enough; the rest is recovery’s.',
    host: transaction((step, state, event) =>
      state.phase === 'committing' && event.type === 'unanswered' ? ended(step) : step,
    ),
    scenario: { faults: { loss: 1 } },
    caughtBy: endedLast,
  },
  {
    name: 'a heuristic outcome taken for a plain one',
    mistake: 'An acknowledgement is an acknowledgement.',
    host: {
      stepTransaction: (state, event) => {
        if (event.type !== 'acknowledged') return stepTransaction(state, event);
        const kind = state.phase === 'committing' ? 'committed' : 'aborted';
        return stepTransaction(state, { ...event, outcome: { kind } });
      },
    },
    scenario: { faults: { manual: 1 } },
    caughtBy: heuristicsAreTold,
  },
  {
    name: 'an end noted beside its evidence',
    mistake: 'Evidence and end are independent records; both will be written.',
    host: { forces: 'side by side' },
    scenario: { faults: { manual: 1 } },
    caughtBy: evidenceIsKept,
  },
];
