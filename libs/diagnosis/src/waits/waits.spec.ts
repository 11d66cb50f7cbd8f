/** What is reported of waits for locks, and what is not known. */
import type { Wait, WaitHolder } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { KnownTransaction } from '../known-transaction.js';
import type { ParticipantSeen, SeenLockWait } from '../participant-seen.js';
import { branchWaits } from './branch-waits.js';
import { cyclesOf } from './cycles.js';
import { WaitPicture } from './wait-picture.js';
import { blocksWords, waitWords } from './wait-words.js';

const [east, west] = ['ledger-east', 'ledger-west'] as [ParticipantName, ParticipantName];
const id = (ms: number): TransactionId =>
  makeTransactionId(ms, new Uint8Array(10), 'coordr01' as Incarnation);
const [one, two, three] = [id(1), id(2), id(3)] as [TransactionId, TransactionId, TransactionId];
const first = makeBranchId(1);
const branch = (transaction: TransactionId): WaitHolder => ({
  ...{ kind: 'branch', transaction, branch: first, isPrepared: false },
});
const psql: WaitHolder = { kind: 'session', pid: 42, application: 'psql', user: 'ada' };
const on = { kind: 'transactionid', relation: 'account', row: '(0,7)' };

const told = (waiter: WaitHolder, holder: WaitHolder, at = west): SeenLockWait => ({
  ...{ id: `${JSON.stringify(waiter)} at ${at}`, participant: at, waiter, on, holders: [holder] },
  ...{ waitingMs: 0, ahead: 0, sinceMs: 1_000, heardAtMs: 2_000 },
});
const silent: ParticipantSeen = {
  ...{ participant: west, state: 'up', blockedBy: new Map(), lastSeenAtMs: 2_000 },
};
const participant = (waits: SeenLockWait[], truncated = false): ParticipantSeen => ({
  ...silent,
  lockWaits: { waits, truncated },
});
const picture = (waits: SeenLockWait[], own: Wait[] = [], nowMs = 2_000) =>
  WaitPicture.of([participant(waits)], own, () => true, nowMs);
const known = (more: Partial<KnownTransaction> = {}) =>
  ({ transaction: one, status: 'preparing', ...more }) as KnownTransaction;
const view = (more = {}) => ({ branch: first, participant: west, ...more }) as never;

describe('What a branch waits for', () => {
  it('is said with who holds it, and for how long', () => {
    const [wait] = picture([told(branch(one), psql)]).of(one);
    expect(wait && waitWords(wait, 13_000)).toBe(
      'waits for row (0,7) of `account` at `ledger-west`, held by session pid 42 of application `psql`, user `ada` (12 s so far)',
    );
  });

  it('is not known where its participant does not report it, or not all', () => {
    const of = (there?: ParticipantSeen) => branchWaits(known(), view(), new WaitPicture(), there);
    expect(of()).toEqual({ isKnown: false, waits: [] });
    expect(of(silent)).toMatchObject({ isKnown: false });
    expect(of(participant([], true))).toMatchObject({ isKnown: false });
    expect(of(participant([]))).toEqual({ isKnown: true, asOfMs: 2_000, waits: [] });
  });

  it('is asked of no branch that has voted, and of nothing that is decided', () => {
    const of = (more: Partial<KnownTransaction>, vote?: object) =>
      branchWaits(known(more), view({ vote }), picture([told(branch(one), psql)]), participant([]));
    expect(of({})?.waits).toHaveLength(1);
    expect(of({}, { kind: 'prepared' })).toBeUndefined();
    expect(of({ decision: 'abort' })).toBeUndefined();
  });

  it('is dropped where the owner, which would know, has had no report of it for seconds', () => {
    const waits = [told(branch(one), psql)];
    expect(picture(waits, [], 5_000).of(one)).toHaveLength(1);
    expect(picture(waits, [], 5_001).of(one)).toHaveLength(0);
  });

  it('began when its owner says, and is held by whom the database shows', () => {
    const wait = told(branch(one), psql);
    const report: Wait = {
      ...{ id: wait.id, transaction: one, branch: first, participant: west, on },
      ...{ instance: 'inst0001' as InstanceId, waitingMs: 4_000, holders: [branch(two)] },
      ...{ sinceMs: 900, heardAtMs: 4_900 },
    };
    expect(picture([wait], [report], 9_000).of(one)).toMatchObject([
      { sinceMs: 900, heardAtMs: 4_900, holders: [psql] },
    ]);
  });
});

describe('Who holds others up', () => {
  it('is counted with all that wait for it, branches and sessions of others', () => {
    const session: WaitHolder = { kind: 'session', pid: 7 };
    const waits = [told(branch(one), branch(two)), told(session, branch(two))];
    const blocks = picture(waits).blockedBy(two);
    expect(blocks && blocksWords(blocks, 13_000)).toBe(
      'blocks 2 sessions at `ledger-west` (12 s so far)',
    );
    expect([...picture(waits).blockingTransactions()]).toEqual([[two, 1_000]]);
    expect(picture([told(branch(one), psql)]).blockers()).toMatchObject([
      { holder: psql, participant: west },
    ]);
  });
});

describe('A cycle of waits', () => {
  const ring = [
    told(branch(one), branch(two), east),
    told(branch(two), branch(three)),
    told(branch(three), branch(one)),
  ];
  const step = (transactionId: TransactionId, at: ParticipantName, heldBy: TransactionId) => ({
    ...{ transactionId, participant: at, relation: 'account', row: '(0,7)', heldBy },
  });

  it.each([
    [one, [step(one, east, two), step(two, west, three), step(three, west, one)]],
    [three, [step(three, west, one), step(one, east, two), step(two, west, three)]],
  ])('is shown from each of its members, itself first (%s)', (transaction, waits) => {
    expect(cyclesOf(known({ transaction }), picture(ring))).toEqual([{ state: 'waiting', waits }]);
  });

  it('is not shown as one that lasts once a victim of it is known, however old the reports are', () => {
    const waits = [{ transaction: two, participant: west, heldBy: three }];
    const cycles = cyclesOf(known({ transaction: one }), picture(ring), [
      { atMs: 2_999, victim: two, waits },
    ]);
    expect(cycles).toMatchObject([{ state: 'broken', victim: two }]);
  });

  it('is none of who only waits for one of them', () => {
    const waits = [...ring, told(branch(id(4)), branch(one))];
    expect(cyclesOf(known({ transaction: id(4) }), picture(waits))).toEqual([]);
  });

  it('is kept by its victim, once', () => {
    const waits = [{ transaction: one, participant: east, heldBy: two }];
    const vote = { kind: 'no', code: 'DISTRIBUTED_DEADLOCK', details: { waits } };
    const cause = { kind: 'vote', vote } as never;
    const victim = known({ decision: 'abort', decidedAtMs: 3_000, cause });
    const shown = [
      {
        ...{ state: 'broken', at: '1970-01-01T00:00:03.000Z', victim: one },
        waits: [{ transactionId: one, participant: east, heldBy: two }],
      },
    ];
    expect(cyclesOf(victim, new WaitPicture())).toEqual(shown);
    const broken = [{ atMs: 2_999, victim: one, waits }];
    expect(cyclesOf(victim, new WaitPicture(), broken)).toEqual(shown);
  });
});
