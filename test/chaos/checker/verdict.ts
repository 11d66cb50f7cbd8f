/** A checker and its complaints: sentences that name what they are about. None: the run passed. */
import type { Facts } from './facts.js';

export type Checker = (facts: Facts) => Iterable<string>;

export interface Complaint {
  /** As in the table of invariants: `I7`. */
  readonly invariant: string;
  readonly sentence: string;
}
