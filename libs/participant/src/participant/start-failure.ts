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
 * `variables` is what the service calls the addresses of its database, of its broker and of its own.
 */
export function describeStartFailure(
  error: unknown,
  also: readonly string[] = [],
  variables: { readonly database?: string; readonly broker?: string; readonly own?: string } = {},
): string {
  const listening = refusedToListen(error);
  if (listening) return `${listening.message}\n${remedyOfListening(listening, variables.own)}`;
  if (!(error instanceof Error)) return String(error);
  const isExplained = EXPLAINED.has(error.name) || also.includes(error.name);
  if (!isExplained) return error.stack ?? error.message;
  const isAboutBroker = error.name === 'BrokerUnreachable';
  const variable = isAboutBroker ? variables.broker : variables.database;
  if (variable === undefined) return error.message;
  return error.message.replace(/correct (?:its|the) address(?!\w)/, `$& (${variable})`);
}

/** The error of a server of Node that could not listen: on a port that is taken, or at a host that is none. */
function refusedToListen(error: unknown): NodeJS.ErrnoException | undefined {
  const { syscall } = (error ?? {}) as { readonly syscall?: unknown };
  const isIt = syscall === 'listen' || syscall === 'getaddrinfo';
  return isIt ? (error as NodeJS.ErrnoException) : undefined;
}

function remedyOfListening({ code }: NodeJS.ErrnoException, own = 'its host and port'): string {
  const end = code === 'EADDRINUSE' ? 'end what listens there, or ' : '';
  return `Remedy: ${end}set ${own}.`;
}
