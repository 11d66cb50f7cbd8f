/**
 * What to print when a service does not start. Guards "each failure names its remedy": what the library
 * refuses says cause and remedy in its message, and a stack under it would only hide them; of anything else
 * the stack is wanted.
 */
const EXPLAINED = new Set([
  'BrokerUnreachable',
  'DatabaseUnfit',
  'DatabaseUnreachable',
  'MigrationBlocked',
  'MigrationDenied',
  'ParticipantMisconfigured',
  'StandbyServer',
]);

/**
 * The message of an error that explains itself; otherwise its stack. `also` names errors of the service's own;
 * `variables` is what the service calls the addresses of its database and of its broker.
 */
export function describeStartFailure(
  error: unknown,
  also: readonly string[] = [],
  variables: { readonly database?: string; readonly broker?: string } = {},
): string {
  if (!(error instanceof Error)) return String(error);
  const isExplained = EXPLAINED.has(error.name) || also.includes(error.name);
  if (!isExplained) return error.stack ?? error.message;
  const isAboutBroker = error.name === 'BrokerUnreachable';
  const variable = isAboutBroker ? variables.broker : variables.database;
  if (variable === undefined) return error.message;
  return error.message.replace(/correct (?:its|the) address(?!\w)/, `$& (${variable})`);
}
