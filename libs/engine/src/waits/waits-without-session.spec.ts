/**
 * What is reported of branches that wait for a lock without a session, and what a second look makes of them.
 */
import {
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { BranchKey, BranchWait, WaitHolder } from '../ports/index.js';
import { WaitsWithoutSession, type RecalledWait } from './waits-without-session.js';

const id = (n: number): TransactionId =>
  makeTransactionId(n, new Uint8Array(10), '0wner000' as never);
const [HOLDER, KEEPER, RECALLED] = [id(1), id(2), id(3)] as [
  TransactionId,
  TransactionId,
  TransactionId,
];

const keyOf = (transaction: TransactionId): BranchKey => ({
  cluster: 'wait0spc' as ClusterId,
  participant: 'ledger-east' as ParticipantName,
  transaction,
  branch: makeBranchId(1),
});
const holder = (transaction: TransactionId, isPrepared = true): WaitHolder => ({
  ...{ kind: 'branch', transaction, branch: makeBranchId(1), isPrepared },
});
const wait = (transaction: TransactionId, ...holders: WaitHolder[]): BranchWait => ({
  ...{ transaction, branch: makeBranchId(1), id: `wait of ${transaction}`, waitingMs: 10 },
  ...{ on: { kind: 'transactionid', relation: 'account' }, holders },
});

describe('A branch that waits for a lock without a session', () => {
  let seen: BranchWait[];
  let asked: (readonly BranchKey[] | undefined)[];
  let recalled: RecalledWait[];
  let suspects: BranchKey[];
  let waits: WaitsWithoutSession;

  beforeEach(() => {
    asked = [];
    suspects = [];
    seen = [wait(KEEPER, holder(HOLDER))];
    recalled = [
      {
        ...{ branch: keyOf(RECALLED), id: '3.1', waitingMs: 100.4, before: [keyOf(KEEPER)] },
        wait: wait(RECALLED, holder(HOLDER)),
      },
    ];
    const resource = {
      waits: (among?: readonly BranchKey[]) => {
        asked.push(among);
        return Promise.resolve(seen);
      },
    };
    const branches = {
      recalledWaits: () => recalled,
      suspect: (some: readonly BranchKey[]) => void suspects.push(...some),
    };
    waits = new WaitsWithoutSession(resource, () => branches);
  });

  it('is reported to wait for what the branches before it wait for, and not for those branches', async () => {
    seen = [wait(id(4), holder(KEEPER, false)), wait(KEEPER, holder(HOLDER), holder(id(4), false))];
    const told = (await waits.waits()).slice(1);
    expect(told.map((one) => one.transaction)).toEqual([KEEPER, RECALLED]);
    expect(told[1]).toEqual({
      ...{ transaction: RECALLED, branch: makeBranchId(1), id: '3.1.0', waitingMs: 100 },
      ...{ withoutSession: true, on: { kind: 'transactionid', relation: 'account' } },
      holders: [holder(HOLDER)],
    });
    seen = [wait(KEEPER, holder(id(9)), holder(RECALLED)), wait(id(5), holder(HOLDER))];
    expect((await waits.waits())[2]).toMatchObject({ holders: [holder(id(9))] });
  });

  it('is reported in several entries where it waits for many', async () => {
    const before = Array.from({ length: 40 }, (_, n) => keyOf(id(100 + n)));
    recalled = [{ branch: keyOf(RECALLED), id: '3.1', waitingMs: 0, before }];
    seen = before.map(({ transaction }, n) => wait(transaction, holder(id(200 + n))));
    const told = (await waits.waits()).slice(40);
    expect(told.map(({ holders }) => holders.length)).toEqual([16, 16, 8]);
    expect(new Set(told.map((one) => one.id)).size).toBe(3);
    expect(told.flatMap(({ holders }) => holders)).toEqual(
      before.map((_, n) => holder(id(200 + n))),
    );
  });

  it('is reported to wait for prepared ones of its crowd, though none is seen to wait', async () => {
    seen = [];
    const ahead = [keyOf(HOLDER), keyOf(RECALLED)];
    recalled = [{ branch: keyOf(RECALLED), id: '3.0', waitingMs: 5, before: [], ahead }];
    const on = { kind: 'session' };
    expect(await waits.waits()).toEqual([
      { ...wait(RECALLED, holder(HOLDER)), id: '3.0.0', waitingMs: 5, withoutSession: true, on },
    ]);
  });

  it('is not reported where nothing is before it: it has its turn next', async () => {
    recalled = [{ branch: keyOf(RECALLED), id: '3.1', waitingMs: 0, before: [] }];
    expect(await waits.waits()).toEqual(seen);
  });

  it('runs again where it is asked about, and no second look ever shows it', async () => {
    seen = [];
    expect(await waits.lookAgain([keyOf(RECALLED)])).toEqual([]);
    expect(suspects).toEqual([keyOf(RECALLED)]);
    expect(asked).toEqual([[keyOf(RECALLED)]]);
  });
});
