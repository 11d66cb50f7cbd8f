/**
 * What to print when a service does not start. Guards "each failure names its remedy": what the library
 * refuses says cause and remedy in its message, and a stack under it would only hide them; of anything else
 * the stack is wanted.
 */
const EXPLAINED = new Set([
  'DatabaseUnfit',
  'DatabaseUnreachable',
  'MigrationBlocked',
  'MigrationDenied',
  'ParticipantMisconfigured',
  'StandbyServer',
]);

/** The message of an error that explains itself; otherwise its stack. `also` names errors of the service's own. */
export function describeStartFailure(error: unknown, also: readonly string[] = []): string {
  if (!(error instanceof Error)) return String(error);
  const isExplained = EXPLAINED.has(error.name) || also.includes(error.name);
  return isExplained ? error.message : (error.stack ?? error.message);
}
