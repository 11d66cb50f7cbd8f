/**
 * The codec: bytes to messages and back. Guards protocol §8: unknown fields are dropped, an unknown
 * version is refused by its own code before anything else is looked at, and a message that cannot be
 * read is refused by naming the field that is wrong, never by guessing what was meant.
 */
import type { z } from 'zod';
import { jsonFault } from './json-bounds.js';
import { JSON_DEPTH_MAX, WIRE_VERSION } from './limits.js';

/** Codes of `refused` that the wire itself gives. */
export const RefusalCode = {
  malformed: 'malformed-message',
  unsupportedVersion: 'unsupported-version',
  wrongCluster: 'wrong-cluster',
  wrongParticipant: 'wrong-participant',
  wrongInstance: 'wrong-instance',
  wrongAsker: 'wrong-asker',
  overloaded: 'overloaded',
  unavailable: 'unavailable',
  answerTooLarge: 'answer-too-large',
  internal: 'internal-error',
} as const;

export type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly code: string; readonly reason: string; readonly field?: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function encode(message: object): Uint8Array {
  return Buffer.from(JSON.stringify(message), 'utf8');
}

/** Reads a message of one schema. Never throws: what arrives is the peer's doing, not ours. */
export function decode<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array,
  depthMax = JSON_DEPTH_MAX,
): Decoded<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(bytes));
  } catch {
    return malformed('the payload is not JSON in UTF-8');
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    return malformed('the payload is not a JSON object');
  }
  const version = (parsed as { v?: unknown }).v;
  if (version !== WIRE_VERSION) {
    if (typeof version !== 'number') return malformed('v: must be the number 1', 'v');
    return {
      ok: false,
      code: RefusalCode.unsupportedVersion,
      reason: `version ${version} is not spoken here; send v: ${WIRE_VERSION}`,
      field: 'v',
    };
  }
  const fault = jsonFault(parsed, depthMax);
  if (fault) return malformed(`${fault.path || 'message'} ${fault.what}`, fault.path);
  const checked = schema.safeParse(parsed);
  if (checked.success) return { ok: true, message: checked.data };
  const issue = checked.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  return malformed(`${field || 'message'}: ${issue?.message ?? 'not readable'}`, field);
}

function malformed(reason: string, field = ''): Decoded<never> {
  return {
    ok: false,
    code: RefusalCode.malformed,
    reason: reason.slice(0, 500),
    ...(field ? { field: field.slice(0, 256) } : {}),
  };
}
