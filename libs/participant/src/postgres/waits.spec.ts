/** Who waits for whom, as it follows from one look at the lock table. */
import type { BranchKey } from '@concordat/engine';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { waitsAmong, type SeenLock } from './waits.js';

const cluster = 'waitspec' as ClusterId;
const key = (ms: number, of = cluster): BranchKey => ({
  cluster: of,
  participant: 'ledger' as ParticipantName,
  transaction: makeTransactionId(ms, new Uint8Array(10), 'coordr01' as Incarnation),
  branch: makeBranchId(1),
});
const [first, second, third] = [key(1), key(2), key(3)] as [BranchKey, BranchKey, BranchKey];
const named = (branch: BranchKey, application = 'ledger') => `${application} ${formatGid(branch)}`;
const holderOf = ({ transaction, branch }: BranchKey) => ({ kind: 'branch', transaction, branch });

/** A lock of a session on the transaction id that `tag` names. */
const lock = (tag: string, pid: number | null, more: Partial<SeenLock>): SeenLock => ({
  ...{ tag, pid, kind: 'transactionid', relation: null, page: null, tuple: null },
  ...{ mode: 'ShareLock', granted: false, transaction: `3/${pid}`, gid: null },
  ...{ since: '1000', waitingMs: 60, name: null, user: null },
  ...more,
});
const held = (tag: string, pid: number | null, more: Partial<SeenLock> = {}): SeenLock =>
  lock(tag, pid, { mode: 'ExclusiveLock', granted: true, since: null, ...more });
const ours = new Map([[11, first]]);

describe('A branch that waits', () => {
  it('waits for the branch at work that its holder is named after, on any instance', () => {
    const [wait] = waitsAmong([lock('x', 11, {}), held('x', 12, { name: named(second) })], ours);
    expect(wait).toMatchObject({ transaction: first.transaction, branch: '1', waitingMs: 60 });
    expect(wait?.holders).toEqual([
      { ...holderOf(second), isPrepared: false, pid: 12, application: 'ledger' },
    ]);
  });

  it('waits for a prepared branch, which has no session', () => {
    const [wait] = waitsAmong(
      [lock('x', 11, {}), held('x', null, { gid: formatGid(second) })],
      ours,
    );
    expect(wait?.holders).toEqual([{ ...holderOf(second), isPrepared: true }]);
  });

  it.each([
    [
      'a session',
      held('x', 12, { name: 'psql' }),
      { kind: 'session', pid: 12, application: 'psql' },
    ],
    ['a nameless session', held('x', 12, { name: '' }), { kind: 'session', pid: 12 }],
    [
      'a transaction prepared by others',
      held('x', null, { gid: 'theirs' }),
      { kind: 'prepared', gid: 'theirs' },
    ],
    [
      'a branch of another cluster, which is a session like another',
      held('x', 12, { name: named(key(2, 'elsewher' as ClusterId)) }),
      { kind: 'session', pid: 12, application: 'ledger' },
    ],
  ])('waits for %s, which is shown as what it is', (_what, other, holder) => {
    expect(waitsAmong([lock('x', 11, {}), other], ours)[0]?.holders).toEqual([holder]);
  });

  it('waits for all sessions that hold the lock in a mode that conflicts, and for no other', () => {
    const wanted = lock('r', 11, { kind: 'relation', mode: 'ShareLock' });
    const [wait] = waitsAmong(
      [
        wanted,
        held('r', 12, { mode: 'RowExclusiveLock', name: named(second) }),
        held('r', 13, { mode: 'RowExclusiveLock', name: named(third) }),
        held('r', 14, { mode: 'AccessShareLock', name: 'reader' }),
        held('other', 15, { name: 'elsewhere' }),
      ],
      ours,
    );
    expect(wait?.holders).toMatchObject([holderOf(second), holderOf(third)]);
  });

  it('waits for sessions ahead of it in the queue, not for those behind', () => {
    const mode = 'ExclusiveLock';
    const [wait] = waitsAmong(
      [
        lock('t', 11, { mode, since: '2000' }),
        lock('t', 12, { mode, since: '1000', name: named(second) }),
        lock('t', 13, { mode, since: '3000', name: named(third) }),
      ],
      ours,
    );
    expect(wait?.holders).toMatchObject([holderOf(second)]);
  });

  it('never waits for itself: another prepare of the same branch is no cycle', () => {
    expect(waitsAmong([lock('x', 11, {}), held('x', 12, { name: named(first) })], ours)).toEqual(
      [],
    );
  });

  it('is reported with the row whose place it keeps', () => {
    const place = { kind: 'tuple', relation: 'account', page: 0, tuple: 7 };
    const [wait] = waitsAmong(
      [lock('x', 11, {}), held('t', 11, place), held('x', 12, { name: 'psql' })],
      ours,
    );
    expect(wait?.on).toEqual({ kind: 'transactionid', relation: 'account', row: '(0,7)' });
  });

  it('has another name at its next wait, in its next transaction, and in another session', () => {
    const idOf = (more: Partial<SeenLock>, pid = 11) =>
      waitsAmong(
        [lock('x', pid, more), held('x', 12, { name: 'psql' })],
        new Map([[pid, first]]),
      )[0]?.id;
    const once = idOf({});
    expect(idOf({ waitingMs: 9_000 })).toBe(once);
    for (const other of [idOf({ since: '1001' }), idOf({ transaction: '3/12' }), idOf({}, 10)]) {
      expect(other).not.toBe(once);
    }
  });

  it('is reported only once the server says since when it waits', () => {
    const starting = lock('x', 11, { since: null });
    expect(waitsAmong([starting, held('x', 12, { name: 'psql' })], ours)).toEqual([]);
  });
});
