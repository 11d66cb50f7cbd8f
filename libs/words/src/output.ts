/**
 * What a process writes for others to read, once its reader has ended (`… | head`, a log collector that
 * died). Node ends a process whose output fails unless somebody listens for that.
 */

/** `process.stdout` or `process.stderr`; this package compiles without Node's types. */
export interface Output {
  on(event: 'error', listener: (error: Error & { readonly code?: string }) => void): unknown;
}

/**
 * Lets a process go on when its output can no longer be written: what it writes is discarded. `lost` is
 * called with each failed write; the code of one without a reader is `EPIPE`.
 */
export function outliveReaders(
  outputs: readonly Output[],
  lost: (error: Error & { readonly code?: string }) => void = () => undefined,
): void {
  for (const output of outputs) output.on('error', lost);
}
