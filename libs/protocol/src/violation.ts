/**
 * The two families of protocol errors the machines themselves can raise: we are wrong (crash and
 * recover), or the peer broke the protocol (refuse and go on). Refusals to callers live where the
 * callers are.
 */

/** We are wrong. The process must not go on with this state; recovery is the repair. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** The other side broke the protocol. Its message is refused and never retried. */
export class PeerViolation extends Error {
  override readonly name = 'PeerViolation';
}

/** Asserts what must hold; a failure is a bug of ours. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantViolation(what);
}

/** Marks a switch as exhaustive for the compiler, and says what slipped through at run time. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable: ${JSON.stringify(value)}`);
}
