/**
 * What a participant says of a branch and what nothing known here bears out. Guards protocol §8: a
 * participant's word counts for its own branches, and only after looking; what is not believed is
 * refused, counted by whoever asked the engine, and changes nothing.
 */
import { PeerViolation } from '@concordat/protocol';

export type DisbeliefCode =
  /** Nothing stands for it, its owner is gone, and its story is unknown. */
  | 'unknown-transaction'
  /** Its branches are known, and this is none of them. */
  | 'unknown-branch'
  /** The branch is another participant's. */
  | 'wrong-participant'
  /** What is reported agrees with the decision, or there is none, or it is another one. */
  | 'no-contradiction';

export class NotBelieved extends PeerViolation {
  constructor(
    readonly code: DisbeliefCode,
    message: string,
  ) {
    super(message);
  }
}
