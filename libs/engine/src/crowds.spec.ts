/** Which branches wait before they run, because others like them wait for the same lock. */
import {
  makeBranchId,
  makeTransactionId,
  type BranchState,
  type ClusterId,
  type ParticipantName,
} from '@concordat/protocol';
import { Crowds } from './crowds.js';
import { LocalBranch } from './local-branch.js';

const WORKING: BranchState = { phase: 'working', work: 'bundled' };
const PREPARING: BranchState = { phase: 'preparing' };
const PREPARED: BranchState = { phase: 'prepared' };

let now: number;
let branches: LocalBranch<string>[];
let crowds: Crowds<string>;

beforeEach(() => {
  now = 0;
  branches = [];
  crowds = new Crowds({ now: () => now }, () => branches);
});

function branch(account: string, amount = 1, state = WORKING, name = 'debit'): LocalBranch<string> {
  const transaction = makeTransactionId(
    branches.length + 1,
    new Uint8Array(10),
    '0wner000' as never,
  );
  const key = {
    ...{ cluster: 'crowd0sp' as ClusterId, participant: 'ledger-east' as ParticipantName },
    ...{ transaction, branch: makeBranchId(1) },
  };
  const local = new LocalBranch<string>(key, [{ name, input: { account, amount } }]);
  local.state = state;
  local.place = branches.length;
  branches.push(local);
  return local;
}

function atWork(account: string, amount?: number): LocalBranch<string> {
  const local = branch(account, amount);
  local.admittedAt = now;
  return local;
}

/** It was seen to wait behind another one since then. */
function waitsBehind(local: LocalBranch<string>, behind: string, behindSince = now) {
  local.lockWait = { behind, since: now, behindSince };
}

function isHeldBack(account: string, amount?: number, name = 'debit'): boolean {
  const local = branch(account, amount, { phase: 'absent' }, name);
  branches.pop();
  return !crowds.hasRoomFor(local);
}

function hasWorked(local: LocalBranch<string>, state = PREPARING): void {
  local.state = state;
  crowds.worked(local);
}

function votesPrepared(local: LocalBranch<string>): void {
  local.state = PREPARED;
  crowds.voted(local);
}

/** Several that waited for one row, which are gone. */
function seen(account: string, amounts: readonly number[] = [1, 2, 3]): void {
  crowds.seen(amounts.map((amount) => branch(account, amount)));
  branches = [];
}

describe('A crowd', () => {
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

  it('goes on when one of it has got what it needs, has ended, or waits without a session', () => {
    seen('hot');
    const [first, second] = [atWork('hot'), atWork('hot')];
    crowds.worked(first);
    expect(isHeldBack('hot', 4)).toBe(false);
    const third = atWork('hot');
    expect(isHeldBack('hot', 4)).toBe(true);
    third.state = { phase: 'ended', how: { kind: 'aborted' } };
    expect(isHeldBack('hot', 4)).toBe(false);
    third.state = WORKING;
    second.recalled = { waitedSince: now };
    expect(isHeldBack('hot', 4)).toBe(false);
    second.runsAgain = true;
    expect(isHeldBack('hot', 4)).toBe(true);
  });

  it('does not count the one that is asked about', () => {
    seen('hot');
    atWork('hot');
    expect(crowds.hasRoomFor(atWork('hot'))).toBe(true);
    expect(crowds.hasRoomFor(atWork('hot'))).toBe(false);
  });

  it('lets twice as many try after each 200 ms in which it does not move', () => {
    seen('hot');
    const first = atWork('hot');
    atWork('hot');
    now += 199;
    expect(isHeldBack('hot')).toBe(true);
    now += 1;
    expect(isHeldBack('hot')).toBe(false);
    atWork('hot');
    atWork('hot');
    expect(isHeldBack('hot')).toBe(true);
    now += 200;
    for (let n = 0; n < 4; n++) atWork('hot');
    expect(isHeldBack('hot')).toBe(true);
    now += 200;
    expect(isHeldBack('hot')).toBe(false);
    crowds.worked(first);
    expect(isHeldBack('hot')).toBe(true);
  });

  it('ends five seconds after one of it was last seen to wait', () => {
    seen('hot');
    now += 5_000;
    crowds.seen([branch('hot', 7)]);
    branches = [];
    atWork('hot');
    atWork('hot');
    now += 5_000;
    for (const one of branches) one.admittedAt = now;
    expect(isHeldBack('hot')).toBe(true);
    now += 1;
    expect(isHeldBack('hot')).toBe(false);
  });

  it('is told by what its prepared branch holds, of the one that waits for longest', () => {
    seen('hot');
    const holder = branch('hot', 1, PREPARED);
    branch('cold', 1, PREPARED);
    atWork('hot', 2);
    atWork('hot', 3);
    const waiting = [4, 5].map((amount) => Object.assign(branch('hot', amount), { recalled: {} }));
    const full = crowds.full();
    expect(crowds.firstOfEach(full)).toEqual([waiting[0]]);
    expect(crowds.preparedWith(full, waiting[0] as LocalBranch<string>)).toEqual([holder.key]);
  });
});

describe('Who is of a crowd', () => {
  const NEIGHBOURS = ['own-1', 'own-2', 'own-3', 'own-4'];

  it('has all in common with it: four neighbours that move the same amount are not held back', () => {
    seen('hot', [1, 1, 1]);
    atWork('hot', 1);
    atWork('hot', 1);
    expect(isHeldBack('hot', 1)).toBe(true);
    for (const account of NEIGHBOURS) {
      expect(isHeldBack(account, 1)).toBe(false);
      hasWorked(atWork(account, 1));
    }
    expect(isHeldBack('hot', 1)).toBe(true); // They say nothing of it either.
  });

  it('does another operation, or has another value, only once such a one was seen to wait as well', () => {
    seen('hot', [1, 1, 1]);
    atWork('hot', 1);
    atWork('hot', 1);
    expect(isHeldBack('hot', 2)).toBe(false);
    crowds.seen([...branches, branch('hot', 2)]);
    branches.pop();
    expect(isHeldBack('hot', 2)).toBe(true);
    expect(isHeldBack('hot', 3)).toBe(true);
    expect(isHeldBack('hot', 3, 'credit')).toBe(false);
    expect(isHeldBack('own-1', 1)).toBe(false);
  });

  it('is found apart in a queue of several kinds', () => {
    const of = (name: string) => [1, 1, 1].map((one) => branch('hot', one, WORKING, name));
    crowds.seen([...of('debit'), ...of('credit')]);
    branches = [];
    for (const name of ['debit', 'credit']) {
      branch('hot', 1, WORKING, name);
      branch('hot', 1, WORKING, name);
    }
    expect(isHeldBack('hot', 1, 'debit')).toBe(true);
    expect(isHeldBack('hot', 1, 'credit')).toBe(true);
    expect(isHeldBack('own-1', 1, 'credit')).toBe(false);
  });
});

describe('Crowds of several kinds that wait for one lock', () => {
  const of = (name: string, n: number) =>
    Array.from({ length: n }, () => branch('hot', 1, WORKING, name));
  let debits: LocalBranch<string>[];
  let credits: LocalBranch<string>[];

  beforeEach(() => {
    crowds.seen([...of('debit', 3), ...of('credit', 3)]);
    branches = [];
    debits = of('debit', 1);
    credits = of('credit', 1);
  });

  it('have two at work between them', () => {
    expect(isHeldBack('hot', 1, 'debit')).toBe(true);
    expect(isHeldBack('hot', 1, 'credit')).toBe(true);
    hasWorked(debits[0] as LocalBranch<string>);
    expect(isHeldBack('hot', 1, 'debit')).toBe(false);
    of('debit', 1);
    now += 199;
    hasWorked(credits[0] as LocalBranch<string>, { phase: 'ended', how: { kind: 'committed' } });
    of('debit', 1);
    now += 1;
    expect(isHeldBack('hot', 1, 'credit')).toBe(true); // They move as one.
  });

  it('are told to wait for one another', () => {
    const [debit, credit] = [...debits, ...credits] as [LocalBranch<string>, LocalBranch<string>];
    const full = crowds.full();
    expect(crowds.share(full, debit, credit)).toBe(true);
    debit.state = PREPARED;
    branch('own-1', 1, PREPARED, 'debit');
    expect(crowds.preparedWith(full, credit)).toEqual([debit.key]);
  });

  it('are two once one of each holds what it needs, side by side, and stay so for a minute', () => {
    hasWorked(debits[0] as LocalBranch<string>, PREPARED);
    hasWorked(credits[0] as LocalBranch<string>);
    branches = [];
    const isApart = (): boolean => {
      branches = [];
      of('debit', 2);
      for (const one of branches) one.admittedAt = now;
      return isHeldBack('hot', 1, 'debit') && !isHeldBack('hot', 1, 'credit');
    };
    expect(isApart()).toBe(true);
    const both = (): void => crowds.seen([...of('debit', 3), ...of('credit', 3)]);
    both();
    expect(isApart()).toBe(true);
    now += 60_000;
    both();
    both();
    expect(isApart()).toBe(true);
    now += 1;
    both();
    expect(isApart()).toBe(false);
  });
});

describe('A crowd that was guessed wrong', () => {
  /** Three wait behind one that holds two rows: what they have in common is the amount. */
  const guessedByAmount = (): void => {
    crowds.seen(['a', 'b', 'c'].map((account) => branch(account, 1)));
    branches = [];
    atWork('a', 1);
    atWork('b', 1);
    expect(isHeldBack('own-1', 1)).toBe(true);
    branches = [];
  };

  it('is not believed where two that are prepared have it in common', () => {
    branch('x', 1, PREPARED);
    branch('y', 1, PREPARED);
    const before = [...branches];
    crowds.seen(['a', 'b', 'c'].map((account) => branch(account, 1)));
    branches = before;
    atWork('a', 1);
    atWork('b', 1);
    expect(isHeldBack('own-1', 1)).toBe(false);
  });

  const isCrowdOf = (atWorkMax: number): boolean => {
    const before = [...branches];
    for (let n = 1; n < atWorkMax; n++) atWork(`more-${n}`, 1);
    const hasRoom = !isHeldBack('own-1', 1);
    atWork('more', 1);
    const isFull = isHeldBack('own-1', 1);
    branches = before;
    return hasRoom && isFull;
  };

  it('ends when three branches got what they need beside ones that hold it, and lets more work before', () => {
    guessedByAmount();
    for (const atWorkMax of [2, 8, 32]) {
      hasWorked(atWork(`${atWorkMax}`, 1), PREPARED);
      expect(isCrowdOf(atWorkMax)).toBe(true);
    }
    hasWorked(atWork('last', 1));
    for (let n = 0; n < 200; n++) atWork(`more-${n}`, 1);
    expect(isHeldBack('own-1', 1)).toBe(false);
  });

  it('ends as well when that is known to have held it only once it has voted', () => {
    guessedByAmount();
    const some = ['a', 'b', 'c', 'd'].map((account) => atWork(account, 1));
    for (const one of some) hasWorked(one);
    for (const [n, atWorkMax] of [2, 8, 32].entries()) {
      expect(isCrowdOf(atWorkMax)).toBe(true);
      votesPrepared(some[n] as LocalBranch<string>);
    }
    for (let n = 0; n < 200; n++) atWork(`more-${n}`, 1);
    expect(isHeldBack('own-1', 1)).toBe(false);
  });

  it('ends when three pass those that wait in a queue that does not move', () => {
    guessedByAmount();
    const waiting = ['held-1', 'held-2', 'held-3'].map((account) => atWork(account, 1));
    for (const one of waiting) waitsBehind(one, 'another session');
    now += 200;
    for (const account of ['a', 'b', 'c']) {
      hasWorked(atWork(account, 1), { phase: 'ended', how: { kind: 'committed' } });
    }
    for (let n = 0; n < 200; n++) atWork(`more-${n}`, 1);
    expect(isHeldBack('own-1', 1)).toBe(false);
  });

  it('is not believed again for a minute, and what is more special is', () => {
    guessedByAmount();
    const some = ['a', 'b', 'c', 'd'].map((account) => atWork(account, 1));
    for (const one of some) hasWorked(one);
    for (const one of some.slice(0, 3)) votesPrepared(one);
    branches = [];
    now += 59_000;
    crowds.seen(['a', 'b', 'c', 'hot', 'hot', 'hot'].map((account) => branch(account, 1)));
    branches = [];
    for (const account of ['hot', 'hot', 'x', 'y']) atWork(account, 1);
    expect(isHeldBack('own-1', 1)).toBe(false);
    expect(isHeldBack('hot', 1)).toBe(true);
  });
});

describe('A crowd that was guessed right', () => {
  beforeEach(() => seen('hot'));

  it('is believed as long as one gets the lock when another is being committed', () => {
    const before = branch('hot', 1, { phase: 'committing' });
    const next = Array.from({ length: 10 }, () => atWork('hot'));
    for (const one of next.slice(0, 5))
      hasWorked(one, { phase: 'ended', how: { kind: 'committed' } });
    before.state = PREPARING; // In one phase, that is its commit.
    for (const one of next.slice(5, 8))
      hasWorked(one, { phase: 'ended', how: { kind: 'committed' } });
    crowds.voted(before);
    expect(isHeldBack('hot')).toBe(true);
  });

  it('is believed where one passes others between two holders', () => {
    const waiting = Array.from({ length: 3 }, () => atWork('hot'));
    for (const one of waiting) waitsBehind(one, 'the first');
    now += 300;
    for (const one of waiting) waitsBehind(one, 'the second');
    for (let n = 0; n < 3; n++) {
      const passing = atWork('hot');
      hasWorked(passing, { phase: 'ended', how: { kind: 'committed' } });
    }
    expect(isHeldBack('hot')).toBe(true);
  });

  it('is believed though the end of one that holds it is told late', () => {
    const stale = branch('hot', 1, PREPARED); // Finished elsewhere.
    for (let n = 0; n < 10; n++) {
      hasWorked(atWork('hot'), { phase: 'ended', how: { kind: 'committed' } });
    }
    expect(stale.state).toBe(PREPARED);
    for (let n = 0; n < 8; n++) atWork('hot');
    expect(isHeldBack('hot')).toBe(true);
  });
});
