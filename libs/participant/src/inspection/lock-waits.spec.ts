/** Who holds what somebody waits for, as it follows from one look at the lock table. */
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
} from '@concordat/protocol';
import type { SeenLock } from '../postgres/waits.js';
import { lockWaitsIn } from './lock-waits.js';

const cluster = 'lockspec' as ClusterId;
const transactionOf = (ms: number) =>
  makeTransactionId(ms, new Uint8Array(10), 'coordr01' as Incarnation);
const nameOf = (ms: number): string =>
  `ledger ${formatGid({ cluster, transaction: transactionOf(ms), branch: makeBranchId(1) })}`;

const lock = (tag: string, pid: number | null, more: Partial<SeenLock> = {}): SeenLock => ({
  ...{ tag, pid, kind: tag.startsWith('tuple') ? 'tuple' : 'transactionid', relation: null },
  ...{ page: null, tuple: null, mode: 'ExclusiveLock', granted: true, transaction: `3/${pid}` },
  ...{ gid: null, since: null, waitingMs: null, name: 'psql', user: 'alice' },
  ...more,
});
const wants = (tag: string, pid: number, since: number, more: Partial<SeenLock> = {}): SeenLock =>
  lock(tag, pid, { granted: false, since: `${since}`, waitingMs: 1_000 - since, ...more });
const row = { relation: 'account', page: 0, tuple: 7 };
const seen = (...locks: SeenLock[]) => lockWaitsIn(locks, cluster);

describe('A session that waits', () => {
  // Pid 1 holds the row; 11 waits for its transaction and has the next place, 12 and 13 wait for that.
  const queue = [
    lock('xid 1', 1),
    wants('xid 1', 11, 100, { name: nameOf(11), mode: 'ShareLock' }),
    lock('tuple 7', 11, { ...row, name: nameOf(11) }),
    wants('tuple 7', 12, 200, { ...row, name: nameOf(12) }),
    wants('tuple 7', 13, 300, { ...row, name: nameOf(13) }),
  ];

  it('waits for who holds the row, however many queue ahead of it', () => {
    const told = seen(...queue).map(({ waiter, holders, ahead, on }) => [
      ...[waiter.kind === 'branch' && waiter.transaction, holders, ahead, on.relation, on.row],
    ]);
    const holders = [{ kind: 'session', pid: 1, application: 'psql', user: 'alice' }];
    expect(told).toEqual([
      [transactionOf(11), holders, 0, 'account', '(0,7)'],
      [transactionOf(12), holders, 1, 'account', '(0,7)'],
      [transactionOf(13), holders, 2, 'account', '(0,7)'],
    ]);
  });

  it('and is no branch is reported where a branch, at work or prepared, holds what it waits for', () => {
    const waiter = wants('xid 1', 21, 100, { mode: 'ShareLock' });
    expect(seen(lock('xid 1', 1, { name: nameOf(1) }), waiter)).toMatchObject([
      {
        waiter: { kind: 'session', pid: 21, user: 'alice' },
        holders: [{ kind: 'branch', transaction: transactionOf(1), isPrepared: false, pid: 1 }],
      },
    ]);
    const gid = nameOf(1).slice('ledger '.length);
    const prepared = lock('xid 1', null, { gid, name: null, user: null });
    expect(seen(prepared, waiter)).toMatchObject([{ holders: [{ isPrepared: true }] }]);
  });

  it('is not reported where no branch of the cluster is concerned', () => {
    expect(seen(lock('xid 1', 1), wants('xid 1', 21, 100))).toEqual([]);
  });

  it('behind another that waits for the whole table waits for who holds the table', () => {
    const [table, mode] = ['relation 5', 'AccessExclusiveLock'];
    const told = seen(
      lock(table, 1, { mode: 'AccessShareLock', kind: 'relation', ...{ name: nameOf(1) } }),
      wants(table, 21, 100, { mode, kind: 'relation' }),
      wants(table, 22, 200, { mode: 'AccessShareLock', kind: 'relation' }),
    );
    expect(told.map(({ ahead }) => ahead)).toEqual([0, 1]);
    for (const { holders } of told) {
      expect(holders).toMatchObject([{ kind: 'branch', transaction: transactionOf(1) }]);
    }
  });

  it('in a circle with others is reported all the same', () => {
    const told = seen(
      ...[lock('xid 1', 1, { name: nameOf(1) }), lock('xid 2', 2, { name: nameOf(2) })],
      wants('xid 2', 1, 100, { name: nameOf(1), mode: 'ShareLock' }),
      wants('xid 1', 2, 200, { name: nameOf(2), mode: 'ShareLock' }),
    );
    expect(told.map(({ holders }) => holders)).toMatchObject([
      [{ transaction: transactionOf(2) }],
      [{ transaction: transactionOf(1) }],
    ]);
  });
});
