/** What is told of branches that wait for a lock without a session. */
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
const holder = (transaction: TransactionId): WaitHolder => ({
  ...{ kind: 'branch', transaction, branch: makeBranchId(1), isPrepared: true },
});
const wait = (transaction: TransactionId, ...holders: WaitHolder[]): BranchWait => ({
  ...{ transaction, branch: makeBranchId(1), id: `wait of ${transaction}`, waitingMs: 10 },
  ...{ on: { kind: 'transactionid' }, holders },
});

describe('A branch that waits for a lock without a session', () => {
  let seen: BranchWait[];
  let asked: (readonly BranchKey[] | undefined)[];
  let recalled: RecalledWait[];
  let waits: WaitsWithoutSession;

  beforeEach(() => {
    asked = [];
    seen = [wait(KEEPER, holder(HOLDER))];
    recalled = [{ branch: keyOf(RECALLED), wait: wait(RECALLED, holder(HOLDER)), sinceMs: 90.4 }];
    const resource = {
      waits: (among?: readonly BranchKey[]) => {
        asked.push(among);
        return Promise.resolve(seen);
      },
    };
    const branches = { recalledWaits: () => recalled, lockWaiters: () => [keyOf(KEEPER)] };
    waits = new WaitsWithoutSession(resource, () => branches);
  });

  it('is told with those in sessions, for as long as one of them waits for the same', async () => {
    const told = await waits.waits();
    expect(told.map((one) => one.transaction)).toEqual([KEEPER, RECALLED]);
    expect(told[1]).toMatchObject({ waitingMs: 100, holders: [holder(HOLDER)] });
    seen = [wait(KEEPER, holder(id(9)))];
    expect((await waits.waits()).map((one) => one.transaction)).toEqual([KEEPER]);
  });

  it('names only those holders that are seen to be waited for', async () => {
    recalled = [
      {
        ...{ branch: keyOf(RECALLED), sinceMs: 0 },
        wait: wait(RECALLED, holder(id(8)), holder(HOLDER)),
      },
    ];
    expect((await waits.waits())[1]).toMatchObject({ holders: [holder(HOLDER)] });
  });

  it('is looked up beside those that show whether its wait is over, and told alone', async () => {
    const told = await waits.waits([keyOf(RECALLED)]);
    expect(told.map((one) => one.transaction)).toEqual([RECALLED]);
    expect(asked).toEqual([[keyOf(RECALLED), keyOf(KEEPER)]]);
  });

  it('costs nothing while there is none', async () => {
    recalled = [];
    await waits.waits([keyOf(KEEPER)]);
    expect(asked).toEqual([[keyOf(KEEPER)]]);
  });
});
