/**
 * The scenarios that are searched: how many take part, what they may do, and how often each fault may
 * strike. `test`: part of `npm test`, all of them together in some twenty seconds · `usual`: what
 * `npm run model` adds · `large`: what `npm run model -- --all` and the nightly run add.
 */
import { ANY, CALM, FAULTS, type Fault, type Scenario } from './scenario.js';

export type Size = 'test' | 'usual' | 'large';

export interface NamedScenario {
  readonly name: string;
  readonly size: Size;
  readonly scenario: Scenario;
}

function one(size: Size, name: string, choice: Partial<Scenario>): NamedScenario {
  return { size, name, scenario: { ...CALM, ...choice } };
}

/** Any fault of any kind, `times` in all. */
const any = (times: number): Pick<Scenario, 'faults' | 'faultsInAll'> => ({
  faults: Object.fromEntries(FAULTS.map((fault): [Fault, number] => [fault, ANY])),
  faultsInAll: times,
});

const EVERY_VOTE = ['prepared', 'read-only', 'no'] as const;

export const SCENARIOS: readonly NamedScenario[] = [
  one('test', '2, nothing fails', {}),
  one('test', '2, open work', { work: 'open' }),
  one('test', '2, every kind of vote', { votes: EVERY_VOTE }),
  one('test', '2, the client rolls back, another may hold its key', {
    rollback: true,
    keyed: true,
  }),
  one('test', '2, open work, 1 participant crash', {
    work: 'open',
    faults: { 'participant crash': 1 },
  }),
  one('test', '2, every kind of vote, repeated work may differ, 1 duplicate', {
    votes: EVERY_VOTE,
    steady: false,
    faults: { duplicate: 1 },
  }),
  one('test', '2, 2 coordinator crashes, 1 unknown register result', {
    faults: { 'coordinator crash': 2, 'register unknown': 1 },
  }),
  one('test', '2, 2 living taken for dead, 1 hasty timer, 2 inquiries at once', {
    inquiries: 2,
    faults: { suspicion: 2, haste: 1 },
  }),
  one('test', '2, 1 loss, 1 duplicate', { faults: { loss: 1, duplicate: 1 } }),
  one('test', '2, 1 finished manually, 1 coordinator crash', {
    faults: { manual: 1, 'coordinator crash': 1 },
  }),
  one('test', '2, everything pruned, 1 duplicate, 1 lost end', {
    faults: { pruning: ANY, duplicate: 1, 'end lost': 1 },
  }),
  one('test', '2, any 1 fault', any(1)),
  one('test', '2 in order, any 1 fault', { order: 'ordered', ...any(1) }),
  one('test', '3, nothing fails', { participants: 3 }),
  one('test', '3 in order, nothing fails', { participants: 3, order: 'ordered' }),
  one('test', 'one phase, nothing fails', { participants: 1, onePhase: true }),
  one('test', 'one phase, every kind of vote, any 1 fault', {
    ...{ participants: 1, onePhase: true, votes: EVERY_VOTE, rollback: true, ...any(1) },
  }),
  one('test', 'one phase, 2 instances, 1 loss', {
    ...{ participants: 1, onePhase: true, instances: 2, faults: { loss: 1 } },
  }),
  one('test', 'one phase, everything pruned, 1 duplicate', {
    ...{ participants: 1, onePhase: true, rollback: true },
    faults: { pruning: ANY, duplicate: 1 },
  }),
  one('test', 'one phase, everything pruned, 1 coordinator crash', {
    ...{ participants: 1, onePhase: true, rollback: true },
    faults: { pruning: ANY, 'coordinator crash': 1 },
  }),
  one('test', 'one phase, everything pruned under an owner that is cut off, 1 loss', {
    ...{ participants: 1, onePhase: true, rollback: true },
    faults: { pruning: ANY, suspicion: 1, loss: 1 },
  }),
  one('usual', 'one phase, everything pruned, 1 duplicate, 1 coordinator crash', {
    ...{ participants: 1, onePhase: true, rollback: true },
    faults: { pruning: ANY, duplicate: 1, 'coordinator crash': 1 },
  }),
  one('usual', 'one phase, every kind of vote, any 2 faults', {
    ...{ participants: 1, onePhase: true, votes: EVERY_VOTE, rollback: true, ...any(2) },
  }),
  one('usual', 'one phase, 2 instances, any 3 faults', {
    ...{ participants: 1, onePhase: true, instances: 2, votes: EVERY_VOTE, ...any(3) },
  }),
  one('usual', '2 with 2 instances each', { instances: 2 }),
  one('usual', '2, 2 participant crashes, 1 unknown database result', {
    faults: { 'participant crash': 2, 'database unknown': 1 },
  }),
  one('usual', '2, every kind of vote, repeated work may differ, any 1 fault', {
    votes: EVERY_VOTE,
    steady: false,
    ...any(1),
  }),
  one('usual', '2, open work, any 1 fault', { work: 'open', ...any(1) }),
  one('usual', '2, any 2 faults', any(2)),
  one('usual', '2 in order, any 2 faults', { order: 'ordered', ...any(2) }),
  one('usual', '2 in order, open work', { order: 'ordered', work: 'open' }),
  one('usual', '3 in order, every kind of vote, 1 coordinator crash', {
    participants: 3,
    order: 'ordered',
    votes: EVERY_VOTE,
    faults: { 'coordinator crash': 1 },
  }),
  one('usual', '3, 1 unknown register result', {
    participants: 3,
    faults: { 'register unknown': 1 },
  }),
  one('usual', '3, every kind of vote', { participants: 3, votes: EVERY_VOTE }),
  one('usual', '3, 1 coordinator crash', { participants: 3, faults: { 'coordinator crash': 1 } }),
  one('usual', '3, 1 loss', { participants: 3, faults: { loss: 1 } }),
  one('usual', '3, 1 duplicate', { participants: 3, faults: { duplicate: 1 } }),
  one('large', '2, 2 coordinator crashes, 2 losses, 2 duplicates', {
    faults: { 'coordinator crash': 2, loss: 2, duplicate: 2 },
  }),
  one('large', '2 with 2 instances each, any 1 fault', { instances: 2, ...any(1) }),
  one('large', '2, any 3 faults', any(3)),
  one('large', '3, any 1 fault', { participants: 3, ...any(1) }),
  one('large', '3, 1 coordinator crash, 1 loss, 1 duplicate', {
    participants: 3,
    faults: { 'coordinator crash': 1, loss: 1, duplicate: 1 },
  }),
  one('large', '4, nothing fails', { participants: 4 }),
];

/** Where nothing fails, AC4 is asked: then the outcome must be commit. */
export const isCalm = ({ scenario }: NamedScenario): boolean =>
  Object.keys(scenario.faults).length === 0;
