/**
 * Injection tokens and metadata keys. Symbols of the global registry, because two copies of this
 * library in one process must agree on them.
 */
export const PARTICIPANT_OPTIONS = Symbol.for('concordat.participant.options');
export const PARTICIPANT_CLASS = Symbol.for('concordat.participant.class');
export const OPERATION = Symbol.for('concordat.participant.operation');
export const JOIN_OPTIONS = Symbol.for('concordat.participant.join');

/** Parameter metadata of operations: Nest's external context wants a string key. */
export const OPERATION_ARGS = '__concordatOperationArgs__';

/** The token under which `what` of the participant of this name is provided. */
export function tokenOf(what: string, participant: string): symbol {
  // Nest prints it where no module provides it, so it says which one would.
  return Symbol.for(
    `${what} of participant ${participant}, which ParticipantModule.forRoot({ name: '${participant}', … }) or forRootAsync({ name: '${participant}', … }) provides`,
  );
}
