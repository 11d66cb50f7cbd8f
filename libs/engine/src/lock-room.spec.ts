/** What the room for waits does with a crowd: who waits before it runs, in which order, and what is said of it. */
import {
  makeBranchId,
  makeTransactionId,
  type BranchState,
  type ClusterId,
  type ParticipantName,
} from '@concordat/protocol';
import { LocalBranch } from './local-branch.js';
import { LockRoom } from './lock-room.js';
import { Clock, type Resource } from './ports/index.js';

class HandClock extends Clock {
  private at = 0;
  private due: (() => void) | undefined;
  now = () => this.at;
  wallNow = () => this.at;

  after(ms: number, task: () => void): () => void {
    this.due = () => {
      this.at += ms;
      task();
    };
    return () => (this.due = undefined);
  }

  async passes(): Promise<void> {
    this.due?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('A room where a crowd waits for one lock', () => {
  let clock: HandClock;
  let branches: LocalBranch<string>[];
  let room: LockRoom<string>;
  let freed: number;

  beforeEach(async () => {
    clock = new HandClock();
    branches = [];
    const resource = {
      lockWaits: (sessions: readonly string[]) =>
        Promise.resolve(new Map(sessions.map((one) => [one, 'the holder']))),
      endLockWaits: () => Promise.resolve(),
      waitsSeen: () => [],
    };
    room = new LockRoom<string>(
      {
        ...{ clock, resource: resource as unknown as Resource<string>, branches: () => branches },
        demand: () => ({ fresh: 0, again: 0, suspected: 0, waiting: 1 }),
        changed: () => (freed += 1),
      },
      { sessionsMax: 16 },
    );
    for (let n = 0; n < 3; n++) inSession(branch());
    room.watch();
    await clock.passes();
    freed = 0;
  });

  function branch(account = 'hot'): LocalBranch<string> {
    const phase: BranchState = { phase: 'working', work: 'bundled' };
    const n = branches.length + 1;
    const key = {
      ...{ cluster: 'r00m0spc' as ClusterId, participant: 'ledger-east' as ParticipantName },
      transaction: makeTransactionId(n, new Uint8Array(10), '0wner000' as never),
      branch: makeBranchId(1),
    };
    const work = [{ name: 'debit', input: { account, amount: 1 } }];
    const local = new LocalBranch<string>(key, work);
    local.state = phase;
    local.place = n;
    branches.push(local);
    return local;
  }

  function inSession(local: LocalBranch<string>): void {
    local.running = true;
    local.session = `session ${local.place}`;
  }

  it('lets the next one wait before it runs, and have its turn when those at work have the lock', () => {
    const next = branch();
    let isLeased = true;
    next.cancelLease = () => (isLeased = false);
    expect(room.holdsBack(next)).toBe(true);
    expect(isLeased).toBe(false);
    expect(next.recalled).toEqual({ waitedSince: clock.now() });
    const { isIn, turn } = room.turnOf(next);
    expect(isIn?.(room.crowded())).toBe(true);
    for (const one of branches.slice(0, 2)) one.state = { phase: 'preparing' };
    expect(isIn?.(room.crowded())).toBe(false);
    turn();
    expect(room.crowded().size).toBe(1); // It counts from that moment.
  });

  it('lets four of rows of their own begin at once, which move the same amount', () => {
    for (let n = 1; n <= 4; n++) expect(room.holdsBack(branch(`own-${n}`))).toBe(false);
    expect(room.holdsBack(branch())).toBe(true);
  });

  it('gives the next its turn as soon as one holds what it needs, and has not voted', () => {
    const [first] = branches as [LocalBranch<string>];
    first.state = { phase: 'preparing' };
    room.worked(first);
    expect(freed).toBe(1);
    room.worked(first);
    room.worked(branch('own-1'));
    expect(freed).toBe(1);
  });

  it('reports it as one that waits without a session, for those of its crowd', () => {
    const next = branch();
    room.holdsBack(next);
    const [first, second, third] = branches.map(({ key }) => key);
    expect(room.recalledWaits()).toMatchObject([
      { branch: next.key, before: [first, second, third], ahead: [] },
    ]);
  });

  it('reports the one that waits for longest also while none is seen waiting', () => {
    const [holder] = branches as [LocalBranch<string>];
    holder.state = { phase: 'prepared' };
    for (const one of branches) one.lockWait = undefined;
    for (const next of [branch(), branch()]) room.holdsBack(next);
    expect(room.recalledWaits()).toMatchObject([
      { branch: branches[3]?.key, before: [], ahead: [holder.key] },
      { branch: branches[4]?.key, before: [], ahead: [] },
    ]);
  });
});
