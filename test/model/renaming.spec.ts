/**
 * What the reduced search rests on: the shipped machine treats all branches alike, and looks at no
 * cause and no explanation. Asked of every state that a search has met.
 */
import { stepTransaction, type TransactionEvent, type TransactionState } from '@concordat/protocol';
import { Model } from './model.js';
import { AS_IT_IS, renameTransaction, textOf, type Rename } from './renaming.js';
import { CALM } from './scenario.js';
import { search } from './search.js';
import { ordersOf, renameBy } from './symmetry.js';
import { branchOf, nameOf } from './world.js';

const EVENTS: readonly TransactionEvent[] = [0, 1].flatMap((i): TransactionEvent[] => {
  const branch = branchOf(i);
  return [
    { type: 'voted', branch, vote: { kind: 'prepared' } },
    { type: 'voted', branch, vote: { kind: 'read-only' } },
    { type: 'voted', branch, vote: { kind: 'no', code: 'NO', reason: '', retryable: false } },
    { type: 'unreached', branch },
    { type: 'acknowledged', branch, outcome: { kind: 'committed' } },
    { type: 'acknowledged', branch, outcome: { kind: 'aborted' } },
    { type: 'unanswered', branch },
    { type: 'retry-due', branch },
    { type: 'deadline-passed' },
    { type: 'decided', decision: 'commit' },
    { type: 'decided', decision: 'abort' },
    { type: 'notification-over' },
  ];
});

/** What a step comes to, in names given by `rename`: its state, its messages, or its refusal. */
function answer(state: TransactionState, event: TransactionEvent, rename: Rename): string {
  try {
    const step = stepTransaction(state, event);
    const messages = step.messages.map(({ type, branch }) => `${type} ${rename(branch)}`).sort();
    const records = step.records.map((one) => one.type);
    return textOf([renameTransaction(step.state, rename), messages, records, step.timers.length]);
  } catch (error) {
    return (error as Error).name;
  }
}

function met(): TransactionState[] {
  const model = new Model({
    ...CALM,
    votes: ['prepared', 'read-only', 'no'],
    faults: { manual: 1 },
  });
  search(model);
  const states = new Map<string, TransactionState>();
  for (let i = 0; i < model.coordinators.size; i++) {
    const { transaction } = model.coordinators.part(i);
    if (transaction) states.set(textOf(transaction), transaction);
  }
  return [...states.values()];
}

describe('The shipped transaction machine', () => {
  const states = met();

  it('is asked in every phase', () => {
    const phases = new Set(states.map(({ phase }) => phase));
    expect([...phases].sort()).toEqual(
      ['aborting', 'active', 'committing', 'deciding', 'ended', 'preparing'].sort(),
    );
  });

  it.each(ordersOf(2).map((order) => [order.join(' '), order] as const))(
    'does the same for branches that are named otherwise: %s',
    (_name, order) => {
      const rename = renameBy(order);
      for (const state of states) {
        const renamed = renameTransaction(state, rename);
        for (const event of EVENTS) {
          const other =
            'branch' in event ? { ...event, branch: rename(event.branch as never) } : event;
          expect(answer(renamed, other as TransactionEvent, AS_IT_IS)).toBe(
            answer(state, event, rename),
          );
        }
      }
    },
  );

  it('looks at no cause of an abort', () => {
    for (const state of states) {
      if (state.phase !== 'aborting') continue;
      const caused: TransactionState = {
        ...state,
        cause: { kind: 'unreachable', branch: branchOf(0), participant: nameOf(branchOf(0)) },
      };
      for (const event of EVENTS) {
        expect(answer(caused, event, AS_IT_IS)).toBe(answer(state, event, AS_IT_IS));
      }
    }
  });
});
