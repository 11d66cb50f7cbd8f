/**
 * A participant's report about a branch that nothing known here supports. Guards protocol §8: a participant's
 * report counts for its own branches, and only after a check; a report that is not believed is refused,
 * counted by the caller of the engine, and changes nothing.
 */
import { PeerViolation } from '@concordat/protocol';

export type DisbeliefCode =
  /** No decision is on record, its owner is gone, and its history is unknown. */
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
