/**
 * Why a connection to the broker failed, in words that name the cause. The client passes on Node's error, and
 * Node reports no cause for a connection that was accepted and closed again.
 */

/** What the client says when it was given no cause. */
const UNTOLD = /provided an undefined error/;

/** One sentence, never empty. */
export function causeOf(error: unknown): string {
  if (!isFailure(error)) return String(error);
  if (UNTOLD.test(error.message)) {
    return 'the connection was accepted and closed before a broker said anything: it is starting or stopping, or a proxy has no broker behind it';
  }
  // Several addresses of one name: Node puts what each said below an empty message.
  if (error.errors?.length) return error.errors.map(causeOf).join('; ');
  const said = error.message || error.code || error.name;
  if (!isFailure(error.cause)) return said;
  const told = causeOf(error.cause); // "connection refused" alone does not say where.
  return told.includes(said) ? told : `${said}: ${told}`;
}

interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

function isFailure(error: unknown): error is Failure {
  return typeof error === 'object' && error !== null && 'message' in error && 'name' in error;
}
