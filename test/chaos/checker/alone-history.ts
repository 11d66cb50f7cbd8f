/**
 * The part of the good history that is committed in one phase: one that was answered, and that somebody asked about
 * later; one whose owner and client died, so that nothing but its goods says whose it is; one that was refused. And
 * its mutations.
 */
import { at, SECOND, STOCK, tx, us } from './good-pieces.js';
import type { Event, OutcomeRow, TimelineEntry } from './history.js';
import { add, drop, set, type Mutation } from './mutation.js';

const txAlone = (number: number): string => `${tx(number, SECOND)}-${STOCK}`;
const gidAlone = (number: number): string => `${txAlone(number)}:1`;
const [TOLD, UNTOLD, REFUSED] = [30, 31, 32];

function asked(t: number, attempt: string, mayRefuse?: true): Event {
  const label = `alone-${attempt}`;
  const deltas = [
    { participant: STOCK, key: `${label}.available`, delta: 2 },
    { participant: STOCK, key: `${label}.reserved`, delta: 0 },
  ];
  const from = { attempt, proc: `client-${attempt}`, op: 'restock', at: 'coordinator-2', label };
  return at(t, { type: 'invoke', ...from, ...(mayRefuse ? { mayRefuse } : {}), deltas });
}

function row(number: number, kind: OutcomeRow['kind'], t: number, confirmedAt = t + 5): Event {
  const of = { participant: STOCK, transaction: txAlone(number), branch: '1', kind };
  return at(2_001, {
    type: 'outcome',
    ...of,
    createdAtUs: us(t),
    committedAtUs: us(confirmedAt),
  });
}

function copy(number: number, decision: 'commit' | 'abort', t: number): Event {
  const branches = decision === 'commit' ? [{ branch: '1', participant: STOCK }] : [];
  const of = { transaction: txAlone(number), decision, label: null, key: null, branches };
  return at(2_000, {
    type: 'decision',
    ...of,
    decidedAtUs: us(t),
    endedAtUs: us(t),
    outcome: 'committed',
  });
}

function noted(number: number, label: string, steps: readonly Omit<TimelineEntry, 'sequence'>[]) {
  const timeline = steps.map((step, index) => ({ sequence: index + 1, ...step }));
  const of = { transaction: txAlone(number), label, branches: ['1'] };
  return at(2_003, { type: 'journal', ...of, timeline });
}

const goods = (label: string): Event[] =>
  [[`${label}.available`, 2] as const, [`${label}.reserved`, 0] as const].map(([key, value]) =>
    at(2_004, { type: 'balance', participant: STOCK, key, value }),
  );

export function alone(): Event[] {
  const branch = '1';
  return [
    asked(640, '30'),
    at(660, {
      type: 'ok',
      attempt: '30',
      transaction: txAlone(TOLD),
      told: 'committed',
      moment: 'completed',
    }),
    row(TOLD, 'branch', 645, 900),
    copy(TOLD, 'commit', 905),
    ...goods('alone-30'),
    noted(TOLD, 'alone-30', [
      { type: 'begun' },
      { type: 'prepare-sent', branch },
      { type: 'voted', branch, said: 'committed' },
      { type: 'decided', said: 'commit' },
      { type: 'ended', said: 'committed' },
    ]),
    asked(650, '31'),
    at(670, { type: 'info', attempt: '31', why: 'the connection broke' }),
    row(UNTOLD, 'branch', 655),
    ...goods('alone-31'),
    asked(680, '32', true),
    at(690, {
      type: 'fail',
      attempt: '32',
      transaction: txAlone(REFUSED),
      code: 'transaction-aborted',
      cause: 'vote',
    }),
    row(REFUSED, 'tombstone', 685),
    noted(REFUSED, 'alone-32', [
      { type: 'begun' },
      { type: 'prepare-sent', branch },
      { type: 'voted', branch, said: 'no' },
      { type: 'settle-sent', branch },
      { type: 'acknowledged', branch, said: 'aborted' },
      { type: 'decided', said: 'abort' },
      { type: 'ended', said: 'aborted' },
    ]),
  ];
}

/** Without one step of what its owner noted. */
const unnoted = (number: number, type: string): Mutation['mutate'] => {
  const of = { type: 'journal', transaction: txAlone(number) };
  return (history) => {
    const journal = alone().find(
      (one) => one.type === 'journal' && one.transaction === of.transaction,
    );
    if (journal?.type !== 'journal') throw new Error('no such journal');
    const left = journal.timeline.filter((one) => one.type !== type);
    const timeline = left.map((step, index) => ({ ...step, sequence: index + 1 }));
    return set(of, { timeline })(history);
  };
};

export const ALONE: readonly Mutation[] = [
  {
    what: 'a commit in one phase is gone',
    breaks: 'I7',
    names: txAlone(TOLD),
    mutate: drop({ type: 'outcome', transaction: txAlone(TOLD) }),
  },
  {
    what: 'a commit in one phase is copied as an abort',
    breaks: 'I2',
    names: txAlone(TOLD),
    mutate: set({ type: 'decision', transaction: txAlone(TOLD) }, { decision: 'abort' }),
  },
  {
    what: 'an abort is copied of what its participant has neither committed nor aborted',
    breaks: 'I2',
    names: txAlone(33),
    mutate: add(copy(33, 'abort', 905)),
  },
  {
    what: 'what was answered aborted is committed in one phase',
    breaks: 'I8',
    names: gidAlone(REFUSED),
    mutate: set({ type: 'outcome', transaction: txAlone(REFUSED) }, { kind: 'branch' }),
  },
  {
    what: 'a commit in one phase that no client knows of has not done its work',
    breaks: 'I3',
    names: txAlone(UNTOLD),
    mutate: drop({ type: 'balance', key: 'alone-31.available' }),
  },
  {
    what: 'a commit in one phase has done its work twice',
    breaks: 'I12',
    names: 'alone-31.available',
    mutate: set({ type: 'balance', key: 'alone-31.available' }, { value: 4 }),
  },
  {
    what: 'work of one branch is there, and no commit of it',
    breaks: 'I6',
    names: 'alone-31.available',
    mutate: drop({ type: 'outcome', transaction: txAlone(UNTOLD) }),
  },
  {
    what: 'an owner calls it committed before its participant has said so',
    breaks: 'I3',
    names: gidAlone(TOLD).replace(':1', ':*'),
    mutate: unnoted(TOLD, 'voted'),
  },
  {
    what: 'an owner calls it aborted by a no, and has asked for no tombstone',
    breaks: 'I3',
    names: gidAlone(REFUSED).replace(':1', ':*'),
    mutate: unnoted(REFUSED, 'acknowledged'),
  },
];
