/**
 * Why a command did not start, in two lines. Guards "one line of cause, one of remedy": the reader needs no
 * stack, and the remedy names the variable concerned.
 */
export class StartRefused extends Error {
  override readonly name = 'StartRefused';

  constructor(cause: string, remedy: string, options?: ErrorOptions) {
    super(`${oneLine(cause)}\nRemedy: ${oneLine(remedy)}`, options);
  }
}

/** What an error says, in words: some of the driver's have a code and no message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join(', ');
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return error.message || code || error.name;
}

/** An address as it may be shown: without what only its owner knows. */
export function withoutPassword(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//…@');
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
