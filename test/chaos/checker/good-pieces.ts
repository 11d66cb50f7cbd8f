/** Names, ids and instants that the history written manually is made of. */
import type { Event, Unstamped } from './history.js';

const WALL = 1_800_000_000_000;
export const CLUSTER = 'goodgood';
/** Incarnations: the first coordinator, its successor, and the second one. */
export const FIRST = 'first111';
export const SUCCESSOR = 'first222';
export const SECOND = 'second11';

export const EAST = 'ledger-east';
export const WEST = 'ledger-west';
export const STOCK = 'inventory';

/** A transaction id, by its number and its owner. */
export function tx(number: number, owner = SECOND): string {
  return `${String(number).padStart(26, '0')}-${owner}`;
}

export function gid(transaction: string, branch = 1): string {
  return `cc:${CLUSTER}:${transaction}:${branch}`;
}

/** An event at a time of the run, in milliseconds. */
export function at(t: number, event: Unstamped): Event {
  return { t, wall: WALL + t, ...event };
}

export const us = (t: number): number => (WALL + t) * 1_000;
