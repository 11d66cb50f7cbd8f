/**
 * One way to make a good history bad, and the steps that such ways are made of. Guards "a mutation that
 * changes nothing is a mistake": it throws.
 */
import { at, us, WEST } from './good-pieces.js';
import type { Event, Unstamped } from './history.js';

export interface Mutation {
  readonly what: string;
  /** As in the table; others may complain as well. */
  readonly breaks: string;
  /** What a sentence of that invariant names: as a rule the gid. */
  readonly names: string;
  readonly mutate: (history: readonly Event[]) => Event[];
}

export type Fields = Readonly<Record<string, unknown>>;

function matches(event: Event, fields: Fields): boolean {
  return Object.entries(fields).every(
    ([name, value]) => (event as unknown as Fields)[name] === value,
  );
}

/** Replaces the events with these fields; a mutation that changes nothing is a mistake. */
export function change(fields: Fields, by: (event: Event) => Event[]): Mutation['mutate'] {
  return (history) => {
    if (!history.some((event) => matches(event, fields))) {
      throw new Error(`no event has ${JSON.stringify(fields)}: this mutation changes nothing`);
    }
    return history.flatMap((event) => (matches(event, fields) ? by(event) : [event]));
  };
}

export const set = (fields: Fields, values: Fields): Mutation['mutate'] =>
  change(fields, (event) => [{ ...event, ...values } as Event]);
export const drop = (fields: Fields): Mutation['mutate'] => change(fields, () => []);
export const add =
  (...events: readonly Event[]): Mutation['mutate'] =>
  (history) => [...history, ...events];
export const all =
  (...steps: readonly Mutation['mutate'][]): Mutation['mutate'] =>
  (history) =>
    steps.reduce<Event[]>((so, step) => step(so), [...history]);

export const decision = (transaction: string, more: Fields = {}): Event =>
  at(2_000, {
    type: 'decision',
    transaction,
    decision: 'commit',
    label: 'overdraw',
    key: null,
    branches: [{ branch: '2', participant: WEST }],
    decidedAtUs: us(800),
    endedAtUs: us(950),
    outcome: 'committed',
    ...more,
  } as Unstamped);
