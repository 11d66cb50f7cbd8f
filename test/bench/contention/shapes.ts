/**
 * What collides, and how: each shape says which accounts of which ledgers a transfer moves money between.
 * Guards "what is measured is what the shape says": the draw of a shape is the only thing that differs
 * between two of them.
 */

export const LEDGERS = ['ledger-east', 'ledger-west', 'ledger-north'] as const;
export type Ledger = (typeof LEDGERS)[number];

/** One side of a transfer. */
export interface Side {
  readonly ledger: Ledger;
  readonly account: string;
}

export interface Transfer {
  readonly from: Side;
  readonly to: Side;
}

/** The next transfer of a client, by its number. */
export type Draw = (client: number) => Transfer;

/** More clients than any load has. */
export const OWN_ACCOUNTS = 160;
export const HOT = 'hot';

/** Five accounts on three ledgers. */
const FIVE: readonly Side[] = [
  { ledger: 'ledger-east', account: 'hot-1' },
  { ledger: 'ledger-east', account: 'hot-2' },
  { ledger: 'ledger-west', account: 'hot-3' },
  { ledger: 'ledger-west', account: 'hot-4' },
  { ledger: 'ledger-north', account: 'hot-5' },
];

/** Every account that a shape names. */
export const ACCOUNTS: readonly string[] = [
  HOT,
  ...FIVE.map((one) => one.account),
  ...Array.from({ length: OWN_ACCOUNTS }, (_, client) => own(client)),
];

export const SHAPES = {
  disjoint: (client) => ({ from: at(0, own(client)), to: at(1, own(client)) }),
  'one hot row': (client) => ({ from: at(0, HOT), to: at(1, own(client)) }),
  'same direction': () => ({ from: at(0, HOT), to: at(1, HOT) }),
  'opposite directions': (client) =>
    client % 2 === 0 ? { from: at(0, HOT), to: at(1, HOT) } : { from: at(1, HOT), to: at(0, HOT) },
  'ring of three': (client) => ({ from: at(client, HOT), to: at(client + 1, HOT) }),
  'five at random': () => {
    const from = oneOf(FIVE);
    return { from, to: oneOf(FIVE.filter((one) => one.ledger !== from.ledger)) };
  },
} satisfies Record<string, Draw>;

export type Shape = keyof typeof SHAPES;

export const SHAPE_NAMES = Object.keys(SHAPES) as Shape[];

function own(client: number): string {
  return `own-${client}`;
}

function at(index: number, account: string): Side {
  return { ledger: LEDGERS[index % LEDGERS.length] as Ledger, account };
}

function oneOf<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)] as T;
}
