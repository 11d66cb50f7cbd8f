/**
 * Errors of this floor, each naming its remedy. "Unknown" is not here: it belongs to the port
 * (`RegisterUnknown`), because it is no refusal, only the absence of an answer.
 */

export type UnusableCode =
  | 'unreachable'
  | 'unsupported-server'
  | 'standby'
  | 'read-only'
  | 'not-utf8'
  | 'fsync-off'
  | 'full-page-writes-off'
  | 'synchronous-commit-off'
  | 'unlogged'
  | 'newer-schema'
  | 'migration-locked'
  | 'missing-privilege';

/** The decision database cannot be trusted or reached: the coordinator does not start on it. */
export class DecisionDatabaseUnusable extends Error {
  override readonly name = 'DecisionDatabaseUnusable';
  constructor(
    readonly code: UnusableCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** One proposal that the database will never take, separated from its batch. We are wrong. */
export class ProposalRefused extends Error {
  override readonly name = 'ProposalRefused';
}

/** A cursor that does not belong to this list. */
export class CursorRefused extends Error {
  override readonly name = 'CursorRefused';
}

/** There is no unresolved heuristic to resolve. */
export class NothingToResolve extends Error {
  override readonly name = 'NothingToResolve';
}
