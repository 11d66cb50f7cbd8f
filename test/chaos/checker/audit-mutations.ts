/** False audits, and false reports about one: none may pass. */
import { tx } from './good-pieces.js';
import { add, all, decision, drop, set, type Mutation } from './mutation.js';

export const AUDIT: readonly Mutation[] = [
  {
    what: 'an entry of the audit is removed',
    breaks: 'I15',
    names: 'audit 2 is missing',
    mutate: drop({ type: 'audit', sequence: 2 }),
  },
  {
    what: 'the last entry of the audit is removed',
    breaks: 'I15',
    names: 'audit 3 is the end',
    mutate: drop({ type: 'audit', sequence: 3 }),
  },
  {
    what: 'an entry of the audit is changed',
    breaks: 'I15',
    names: 'audit 1 is not what its hash was taken of',
    mutate: set({ type: 'audit', sequence: 1 }, { before: { b: 1, a: 3 } }),
  },
  {
    what: 'something was done that is not in the audit',
    breaks: 'I15',
    names: 'operator/2',
    mutate: set({ type: 'acted', act: 'operator/2' }, { told: 'done', audit: 4 }),
  },
  {
    what: 'the audit has an entry that was not asked for',
    breaks: 'I15',
    names: 'not asked for (operator/3)',
    mutate: all(
      drop({ type: 'act', act: 'operator/3' }),
      drop({ type: 'acted', act: 'operator/3' }),
    ),
  },
  {
    what: 'an operator gets the answer that nothing was done, and it was',
    breaks: 'I15',
    names: 'operator/1',
    mutate: set({ type: 'acted', act: 'operator/1' }, { told: 'refused' }),
  },
  {
    what: 'commit is on record after an operator got the answer that it is aborted',
    breaks: 'I15',
    names: tx(20),
    mutate: add(decision(tx(20))),
  },
];
