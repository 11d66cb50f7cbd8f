/** Which branches wait before they run, because others like them wait for the same lock. */
import {
  makeBranchId,
  makeTransactionId,
  type BranchState,
  type ClusterId,
  type ParticipantName,
} from '@concordat/protocol';
import { Crowds, marksOf } from './crowds.js';
import { LocalBranch } from './local-branch.js';

const WORKING: BranchState = { phase: 'working', work: 'bundled' };

describe('A crowd', () => {
  let now: number;
  let branches: LocalBranch<string>[];
  let crowds: Crowds<string>;

  beforeEach(() => {
    now = 0;
    branches = [];
    crowds = new Crowds({ now: () => now }, () => branches);
  });

  function branch(account: string, amount = 1, state = WORKING): LocalBranch<string> {
    const transaction = makeTransactionId(
      branches.length + 1,
      new Uint8Array(10),
      '0wner000' as never,
    );
    const key = {
      ...{ cluster: 'crowd0sp' as ClusterId, participant: 'ledger-east' as ParticipantName },
      ...{ transaction, branch: makeBranchId(1) },
    };
    const local = new LocalBranch<string>(key, [{ name: 'debit', input: { account, amount } }]);
    local.state = state;
    local.place = branches.length;
    branches.push(local);
    return local;
  }

  const atWork = (account: string, amount?: number): LocalBranch<string> => {
    const local = branch(account, amount);
    local.admittedAt = now;
    return local;
  };
  const isHeldBack = (account: string, amount?: number): boolean => {
    const local = branch(account, amount, { phase: 'absent' });
    branches.pop();
    return !crowds.hasRoomFor(local);
  };
  /** Three that waited for one row and are gone. */
  const seen = (account: string, amounts = [1, 2, 3]): void => {
    crowds.seen(amounts.map((amount) => branch(account, amount)));
    branches = [];
  };

  it('is what several were seen to wait for: two of it are at work, others wait before they run', () => {
    seen('hot');
    expect(isHeldBack('hot', 4)).toBe(false);
    atWork('hot');
    expect(isHeldBack('hot', 4)).toBe(false);
    atWork('hot');
    expect(isHeldBack('hot', 4)).toBe(true);
    expect(isHeldBack('cold', 4)).toBe(false);
  });

  it('is none where branches collide and no crowd waits', () => {
    crowds.seen([branch('hot', 1), branch('hot', 2)]);
    branches = [];
    for (let n = 0; n < 10; n++) atWork('hot');
    expect(isHeldBack('hot')).toBe(false);
  });

  it('goes on when one of it has voted, or waits without a session', () => {
    seen('hot');
    const [first, second] = [atWork('hot'), atWork('hot')];
    first.state = { phase: 'preparing' };
    expect(isHeldBack('hot', 4)).toBe(false);
    first.state = WORKING;
    second.recalled = { waitedSince: now };
    expect(isHeldBack('hot', 4)).toBe(false);
    second.runsAgain = true;
    expect(isHeldBack('hot', 4)).toBe(true);
  });

  it('holds back no branch where it does not move: others are tried as if it were none', () => {
    seen('hot');
    const first = atWork('hot');
    atWork('hot');
    now += 199;
    expect(isHeldBack('hot')).toBe(true);
    now += 1;
    expect(isHeldBack('hot')).toBe(false);
    atWork('hot');
    atWork('hot');
    expect(isHeldBack('hot')).toBe(false);
    crowds.worked(first);
    expect(isHeldBack('hot')).toBe(true);
  });

  it('is not believed where those that came later pass those that wait', () => {
    seen('held', [1, 1, 1]);
    atWork('held', 1);
    atWork('held', 1);
    now += 199;
    crowds.worked(atWork('a', 1));
    crowds.worked(atWork('b', 1));
    crowds.worked(atWork('c', 1));
    expect(isHeldBack('d', 1)).toBe(true);
    now += 200;
    for (const account of ['a', 'b', 'c']) crowds.worked(atWork(account, 1));
    expect(isHeldBack('d', 1)).toBe(false);
    expect(isHeldBack('held', 2)).toBe(false); // It does not move.
  });

  it('is not believed where its branches hold what they need side by side', () => {
    seen('hot', [1, 1, 1]);
    branch('hot', 1, { phase: 'prepared' });
    const others = ['a', 'b', 'c'].map((account) => atWork(account, 1));
    expect(isHeldBack('d', 1)).toBe(true);
    for (const other of others) crowds.worked(other);
    expect(isHeldBack('d', 1)).toBe(false);
    expect(isHeldBack('hot', 2)).toBe(false); // Only one was at work.
    atWork('hot');
    atWork('hot');
    expect(isHeldBack('hot', 2)).toBe(true);
    now += 30_000;
    seen('hot', [1, 1, 1]);
    for (const account of ['a', 'b', 'c']) atWork(account, 1);
    expect(isHeldBack('d', 1)).toBe(false); // Not believed again for a minute.
  });

  it('is believed as long as one gets the lock when another is being committed', () => {
    seen('hot');
    const before = branch('hot', 1, { phase: 'committing' });
    const [next] = [atWork('hot'), atWork('hot')];
    for (let n = 0; n < 10; n++) crowds.worked(next as LocalBranch<string>);
    before.state = { phase: 'preparing' }; // In one phase, that is its commit.
    for (let n = 0; n < 10; n++) crowds.worked(next as LocalBranch<string>);
    expect(isHeldBack('hot')).toBe(true);
  });

  it('ends after five seconds, and is believed for twice as long if it is seen again', () => {
    const isCrowd = (): boolean => {
      branches = [];
      atWork('hot');
      atWork('hot');
      return isHeldBack('hot');
    };
    seen('hot');
    now += 5_000;
    expect(isCrowd()).toBe(true);
    now += 1;
    expect(isCrowd()).toBe(false);
    seen('hot');
    now += 10_000;
    expect(isCrowd()).toBe(true);
    now += 1;
    expect(isCrowd()).toBe(false);
  });

  it('is told by what its prepared branch holds, of the one that waits for longest', () => {
    seen('hot');
    const holder = branch('hot', 1, { phase: 'prepared' });
    branch('cold', 1, { phase: 'prepared' });
    atWork('hot', 2);
    atWork('hot', 3);
    const waiting = [4, 5].map((amount) => Object.assign(branch('hot', amount), { recalled: {} }));
    const full = crowds.full();
    expect(crowds.firstOfEach(full)).toEqual([waiting[0]]);
    expect(crowds.preparedWith(full, waiting[0] as LocalBranch<string>)).toEqual([holder.key]);
  });
});

describe('What operations have in common', () => {
  it('is each value of their inputs by its place, or their name where there is none', () => {
    const input = { account: 'a', amount: 5, note: 'x'.repeat(101), to: { shelf: [7] }, no: null };
    expect(
      marksOf([
        { name: 'debit', input },
        { name: 'tick', input: {} },
      ]),
    ).toEqual(['debit.account="a"', 'debit.amount=5', 'debit.to.shelf.0=7', 'tick']);
  });
});
