/** What an owner keeps of the waits that participants report. */
import {
  makeBranchId,
  makeTransactionId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';
import type { BranchWait, Clock } from '../ports/index.js';
import { WaitBoard } from './wait-board.js';

const east = 'ledger-east' as ParticipantName;
const instance = 'inst0001' as InstanceId;
const [first, second] = [1, 2].map((ms) =>
  makeTransactionId(ms, new Uint8Array(10), 'coordr01' as Incarnation),
) as [never, never];
const wait = (transaction: BranchWait['transaction'], id: string): BranchWait => ({
  ...{ transaction, id, branch: makeBranchId(1), waitingMs: 100, holders: [] },
  on: { kind: 'transactionid' },
});

class Hand implements Clock {
  ms = 0;
  now = () => this.ms;
  wallNow = () => this.ms;
  after = () => () => undefined;
}

describe('The board of waits', () => {
  let clock: Hand;
  let board: WaitBoard;
  const report = (sequence: number, waits: readonly BranchWait[], of = instance) =>
    board.report({ participant: east, instance: of, sequence, waits });
  const ids = () => board.all().map(({ id }) => id);

  beforeEach(() => {
    clock = new Hand();
    board = new WaitBoard(clock, ({ participant }) => participant === east);
  });

  it('shows the last report of each instance, and nothing of the one before', () => {
    report(1, [wait(first, 'a'), wait(second, 'b')]);
    report(2, [wait(second, 'b')]);
    report(1, [wait(first, 'c')], 'inst0002' as InstanceId);
    expect(ids().sort()).toEqual(['b', 'c']);
    expect(board.of(second)).toMatchObject([{ id: 'b', participant: east, instance }]);
  });

  it('gives one start time for as long as a wait lasts, and when it was last reported', () => {
    clock.ms = 1_000;
    report(1, [wait(first, 'a')]);
    clock.ms = 2_000;
    report(2, [{ ...wait(first, 'a'), waitingMs: 1_105 }, wait(first, 'b')]);
    expect(board.all()).toMatchObject([
      { id: 'a', sinceMs: 900, heardAtMs: 2_000 },
      { id: 'b', sinceMs: 1_900, heardAtMs: 2_000 },
    ]);
  });

  it('ignores a report that was overtaken, also by one that took everything back', () => {
    report(2, []);
    expect(report(1, [wait(first, 'a')])).toBe(false);
    expect(ids()).toEqual([]);
  });

  it('forgets what is not repeated', () => {
    report(1, [wait(first, 'a')]);
    clock.ms = 3_000;
    expect(ids()).toEqual(['a']);
    clock.ms = 3_001;
    expect(ids()).toEqual([]);
  });

  it('keeps reports of so many instances of one participant, until some are forgotten', () => {
    board = new WaitBoard(clock, () => true, { instancesMax: 1 });
    expect(report(1, [wait(first, 'a')])).toBe(true);
    expect(report(1, [wait(first, 'b')], 'inst0002' as InstanceId)).toBe(false);
    expect(report(2, [wait(first, 'c')])).toBe(true);
    clock.ms = 3_001;
    expect(report(1, [wait(first, 'd')], 'inst0002' as InstanceId)).toBe(true);
    expect(ids()).toEqual(['d']);
  });

  it('keeps nothing of branches that are not the reporter’s', () => {
    const west = 'ledger-west' as ParticipantName;
    board.report({ participant: west, instance, sequence: 1, waits: [wait(first, 'a')] });
    expect(ids()).toEqual([]);
  });

  it('lists several transactions at once, and only those that wait', () => {
    report(1, [wait(first, 'a')]);
    expect(board.ofAll([first, second])).toMatchObject([
      { transaction: first, waits: [{ id: 'a' }] },
    ]);
  });
});
