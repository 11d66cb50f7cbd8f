/**
 * One state for all that differ in the participants' names only. Sound because every participant of a
 * scenario may do the same things, every rule treats all alike, and messages of one step leave in any
 * order; renaming.spec.ts holds the shipped machines to it, and model.spec.ts counts the states of the
 * full search again from the reduced one.
 */
import type { BranchId } from '@concordat/protocol';
import type { Rename } from './renaming.js';
import { branchOf, indexOf } from './world.js';

/** `order[i]`: which participant comes to place `i`. */
export type Order = readonly number[];

export function ordersOf(participants: number): Order[] {
  if (participants === 0) return [[]];
  return ordersOf(participants - 1).flatMap((shorter) =>
    Array.from({ length: participants }, (_, at) => [
      ...shorter.slice(0, at),
      participants - 1,
      ...shorter.slice(at),
    ]),
  );
}

/** Renames each branch to the new place of its participant. */
export function renameBy(order: Order): Rename {
  const places = new Map<BranchId, BranchId>();
  order.forEach((from, to) => places.set(branchOf(from), branchOf(to)));
  return (branch) => places.get(branch) ?? branchOf(indexOf(branch));
}
