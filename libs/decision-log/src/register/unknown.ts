/**
 * What a failed statement means. Guards protocol §3: only the server's own refusal of the data is an
 * answer; a lost connection, a time-out, a full disk or a shutdown leaves the call unknown.
 */
import { RegisterUnknown } from '@concordat/engine';

/** The five characters of an SQLSTATE, when the server itself answered. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  const fromServer = (error as { severity?: unknown } | null)?.severity !== undefined;
  return fromServer && typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * The server rolled the statement back because of the data in it: class 22 (data), 23 (integrity),
 * 54 (limits). Only then may a batch be split to find the row.
 */
export function isAboutTheData(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlState(error) ?? '');
}

/** Rolled back to break a deadlock between batches of two coordinators: try in smaller parts. */
export function isDeadlock(error: unknown): boolean {
  return sqlState(error) === '40P01';
}

export function unknown(what: string, error: unknown): RegisterUnknown {
  if (error instanceof RegisterUnknown) return error;
  const why = error instanceof Error ? error.message || error.name : String(error);
  return new RegisterUnknown(
    `the decision database did not answer to "${what}": ${why}. Ask again; nothing may be assumed`,
    { cause: error },
  );
}
