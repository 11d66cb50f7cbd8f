/**
 * The work that clients ask for: W1, a bank, and W2, one counter per participant that only ever
 * changes together with the others. Each piece says what it asks of whom and what that changes, so
 * that the checker can compute every balance again.
 */
import type { Random } from '../../simulation/random.js';
import type { ParticipantId } from '../../stage/product.js';
import { witnessOf, type Delta } from '../checker/history.js';

export interface Branch {
  readonly participant: ParticipantId;
  readonly operations: readonly { readonly name: string; readonly input: object }[];
}

export interface Work {
  readonly op: string;
  readonly branches: readonly Branch[];
  readonly deltas: readonly Delta[];
  readonly mayRefuse?: true;
}

export const ACCOUNTS = 12;
const OPENING = 10_000;
const GOODS = 1_000_000;
const TOO_MUCH = 1_000_000_000;
const LEDGERS = ['ledger-east', 'ledger-west'] as const;
type Ledger = (typeof LEDGERS)[number];

const nameOf = (ledger: Ledger, index: number): string =>
  `${ledger === 'ledger-east' ? 'a' : 'b'}${index}`;
const otherOf = (ledger: Ledger): Ledger =>
  ledger === 'ledger-east' ? 'ledger-west' : 'ledger-east';

function branch(participant: ParticipantId, ...operations: Branch['operations'][number][]): Branch {
  return { participant, operations };
}

/** Opens everything, in one transaction of three participants. */
export function opening(): Work {
  const accounts = LEDGERS.flatMap((ledger) =>
    [...Array.from({ length: ACCOUNTS }, (_, index) => nameOf(ledger, index)), 'counter'].map(
      (account) => ({ ledger, account, amount: account === 'counter' ? 1 : OPENING }),
    ),
  );
  const goods = { counter: 1, goods: GOODS };
  return {
    op: 'open',
    branches: [
      ...LEDGERS.map((ledger) =>
        branch(
          ledger,
          ...accounts
            .filter((one) => one.ledger === ledger)
            .map(({ account, amount }) => ({ name: 'open', input: { account, amount } })),
        ),
      ),
      branch(
        'inventory',
        ...Object.entries(goods).map(([sku, quantity]) => ({
          name: 'stock',
          input: { sku, quantity },
        })),
      ),
    ],
    deltas: [
      ...accounts.map(({ ledger, account, amount }) => ({
        participant: ledger,
        key: account,
        delta: amount,
      })),
      ...Object.entries(goods).flatMap(([sku, quantity]) => [
        { participant: 'inventory', key: `${sku}.available`, delta: quantity },
        { participant: 'inventory', key: `${sku}.reserved`, delta: 0 },
      ]),
    ],
  };
}

/** Keys that must be equal at the end. */
export const COUNTERS = [
  ...LEDGERS.map((participant) => ({ participant, key: 'counter' })),
  { participant: 'inventory', key: 'counter.available' },
];

/** W2: every counter up by one. */
export function increment(): Work {
  return {
    op: 'increment',
    branches: [
      ...LEDGERS.map((ledger) =>
        branch(ledger, { name: 'credit', input: { account: 'counter', amount: 1 } }),
      ),
      branch('inventory', { name: 'stock', input: { sku: 'counter', quantity: 1 } }),
    ],
    deltas: COUNTERS.map((one) => ({ ...one, delta: 1 })),
  };
}

/** W1: money from one ledger to the other. */
export function transfer(from: Ledger, index: number, toIndex: number, amount: number): Work {
  const to = otherOf(from);
  const [debited, credited] = [nameOf(from, index), nameOf(to, toIndex)];
  return {
    op: 'transfer',
    branches: [
      branch(from, { name: 'debit', input: { account: debited, amount } }),
      branch(to, { name: 'credit', input: { account: credited, amount } }),
    ],
    deltas: [
      { participant: from, key: debited, delta: -amount },
      { participant: to, key: credited, delta: amount },
    ],
  };
}

export function anyTransfer(random: Random): Work {
  const index = random.between(0, ACCOUNTS - 1);
  const toIndex = random.between(0, ACCOUNTS - 1);
  // So little that it never runs dry: a refusal would then be an error.
  return transfer(random.pick(LEDGERS), index, toIndex, random.between(1, 3));
}

/** A debit that must be refused: its credit, which would have been possible, must not stay. */
export function overdraw(random: Random): Work {
  const work = transfer(
    random.pick(LEDGERS),
    random.between(0, ACCOUNTS - 1),
    random.between(0, ACCOUNTS - 1),
    TOO_MUCH,
  );
  return { ...work, op: 'overdraw', mayRefuse: true };
}

/** Looks on both sides and changes nothing: all votes are read-only. */
export function read(random: Random): Work {
  return {
    op: 'read',
    branches: LEDGERS.map((ledger) =>
      branch(ledger, {
        name: 'balance',
        input: { account: nameOf(ledger, random.between(0, ACCOUNTS - 1)) },
      }),
    ),
    deltas: [],
  };
}

/** Changes one side and only looks at the other: one vote is read-only. */
export function oneSided(random: Random): Work {
  const ledger = random.pick(LEDGERS);
  const index = random.between(0, ACCOUNTS - 1);
  const [from, to] = [nameOf(ledger, index), nameOf(ledger, (index + 1) % ACCOUNTS)];
  const looked = nameOf(otherOf(ledger), random.between(0, ACCOUNTS - 1));
  return {
    op: 'one-sided',
    branches: [
      branch(
        ledger,
        { name: 'debit', input: { account: from, amount: 1 } },
        { name: 'credit', input: { account: to, amount: 1 } },
      ),
      branch(otherOf(ledger), { name: 'balance', input: { account: looked } }),
    ],
    deltas: [
      { participant: ledger, key: from, delta: -1 },
      { participant: ledger, key: to, delta: 1 },
    ],
  };
}

/**
 * One participant, which may commit it in one phase. Such a commit is nowhere but there, so that it says itself whose
 * it is: its goods have the name of the attempt.
 */
export function restock(label: string, random: Random): Work {
  const quantity = random.between(1, 3);
  return {
    op: 'restock',
    branches: [
      branch(
        'inventory',
        { name: 'stock', input: { sku: label, quantity } },
        { name: 'stock', input: { sku: 'goods', quantity } },
      ),
    ],
    deltas: [
      { participant: 'inventory', key: witnessOf(label), delta: quantity },
      { participant: 'inventory', key: `${label}.reserved`, delta: 0 },
      { participant: 'inventory', key: 'goods.available', delta: quantity },
    ],
  };
}

/** One participant, which must refuse it. */
export function overdrawAlone(random: Random): Work {
  const work = overdraw(random);
  return { ...work, branches: work.branches.slice(0, 1), deltas: work.deltas.slice(0, 1) };
}

/** One participant, which only looks. */
export function readAlone(random: Random): Work {
  const work = read(random);
  return { ...work, branches: work.branches.slice(0, 1) };
}

/** Three participants: paid from one ledger to the other, and goods put aside. */
export function purchase(random: Random): Work {
  const paid = anyTransfer(random);
  const quantity = random.between(1, 3);
  return {
    op: 'purchase',
    branches: [
      ...paid.branches,
      branch('inventory', { name: 'reserve', input: { sku: 'goods', quantity } }),
    ],
    deltas: [
      ...paid.deltas,
      { participant: 'inventory', key: 'goods.available', delta: -quantity },
      { participant: 'inventory', key: 'goods.reserved', delta: quantity },
    ],
  };
}
