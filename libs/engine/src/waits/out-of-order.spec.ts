/** Which transactions that were asked all at once are begun again in order. */
import {
  makeBranchId,
  makeTransactionId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Wait } from '../ports/index.js';
import {
  HOLDS_MS,
  HOLDS_UNSEEN_MS,
  QUEUES_MS,
  WAITS_MS,
  outOfOrderAt,
  type AskedAtOnce,
  type AskedParticipant,
} from './out-of-order.js';

const id = (n: number): TransactionId =>
  makeTransactionId(n, new Uint8Array(10), '0wner000' as never);
const [OLDER, MINE, YOUNGER] = [id(1), id(2), id(3)] as [
  TransactionId,
  TransactionId,
  TransactionId,
];
const EAST = 'ledger-east' as ParticipantName;
const WEST = 'ledger-west' as ParticipantName;

type Facts = Partial<Omit<AskedParticipant, 'participant'>>;

const asked = (participant: ParticipantName, facts: Facts = {}): AskedParticipant => ({
  ...{ participant, voted: false, isHot: true, isWaitedFor: false },
  ...facts,
});

const waitsAt = (participant: ParticipantName, transaction: TransactionId): Wait => ({
  ...{
    transaction: MINE,
    branch: makeBranchId(1),
    id: 'w1',
    waitingMs: 50,
    sinceMs: 0,
    heardAtMs: 50,
  },
  ...{ participant, instance: 'east0001' as never, on: { kind: 'transactionid' } },
  holders: [{ kind: 'branch', transaction, branch: makeBranchId(1), isPrepared: true }],
});

const one = (ageMs: number, all: AskedParticipant[], ...waits: Wait[]): AskedAtOnce => ({
  ...{ transaction: MINE, ageMs, asked: all, waits },
});

describe('A transaction that was asked at once, waits for a lock and is begun again in order', () => {
  const holdsTheLater = [asked(EAST), asked(WEST, { voted: true })];

  it('waits for an older one, and holds something at a later crowded place', () => {
    expect(outOfOrderAt(one(WAITS_MS, holdsTheLater, waitsAt(EAST, OLDER)))).toBe(EAST);
  });

  it('waits for an older one at the later place, and is still missed at the earlier', () => {
    const both = [asked(EAST), asked(WEST)];
    expect(outOfOrderAt(one(WAITS_MS, both, waitsAt(WEST, OLDER)))).toBe(WEST);
  });

  it('is none that waits as if it had been asked in order', () => {
    const inOrder = [asked(EAST, { voted: true }), asked(WEST)];
    expect(outOfOrderAt(one(60_000, inOrder, waitsAt(WEST, OLDER)))).toBeUndefined();
  });

  it('is none that came before whom it waits for', () => {
    expect(outOfOrderAt(one(WAITS_MS, holdsTheLater, waitsAt(EAST, YOUNGER)))).toBeUndefined();
  });

  it('is none before a cycle could be seen twice', () => {
    expect(outOfOrderAt(one(WAITS_MS - 1, holdsTheLater, waitsAt(EAST, OLDER)))).toBeUndefined();
  });

  it('is none where only one place is crowded: with one hot row nothing gives way', () => {
    const oneHot = [asked(EAST), asked(WEST, { voted: true, isHot: false })];
    expect(outOfOrderAt(one(60_000, oneHot, waitsAt(EAST, OLDER)))).toBeUndefined();
  });
});

describe('A transaction that was asked at once, is seen to wait for nothing and is begun again', () => {
  it('is missed at two crowded places', () => {
    const both = [asked(WEST), asked(EAST)];
    expect(outOfOrderAt(one(QUEUES_MS, both))).toBe(EAST);
    expect(outOfOrderAt(one(QUEUES_MS - 1, both))).toBeUndefined();
    expect(outOfOrderAt(one(60_000, [asked(WEST), asked(EAST, { isHot: false })]))).toBeUndefined();
  });

  it('is waited for where it is prepared, and missed at a place before that', () => {
    const waitedFor = [
      asked(EAST, { isHot: false }),
      asked(WEST, { voted: true, isWaitedFor: true }),
    ];
    expect(outOfOrderAt(one(HOLDS_MS, waitedFor))).toBe(EAST);
    expect(outOfOrderAt(one(HOLDS_MS - 1, waitedFor))).toBeUndefined();
  });

  it('is prepared at a crowded place for long, though no other is seen to wait for it', () => {
    const crowded = [asked(EAST), asked(WEST, { voted: true })];
    expect(outOfOrderAt(one(HOLDS_UNSEEN_MS, crowded))).toBe(EAST);
    expect(outOfOrderAt(one(HOLDS_UNSEEN_MS - 1, crowded))).toBeUndefined();
  });

  it('is none that is missed at its last place only, however long', () => {
    const inOrder = [asked(EAST, { voted: true, isWaitedFor: true }), asked(WEST)];
    expect(outOfOrderAt(one(60_000, inOrder))).toBeUndefined();
  });
});
