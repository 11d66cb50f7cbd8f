/**
 * Canonical JSON and its fingerprint. Guards "the same Idempotency-Key with another body is refused,
 * with the same body it is the same request": two bodies have one fingerprint if and only if they
 * are the same JSON value, with any order of keys and white space. Numbers are compared as
 * doubles: a body whose numbers they cannot hold is refused before.
 */
import { createHash } from 'node:crypto';

/** A JSON value as text with sorted keys and no white space. Depth is bounded by the body's check. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** SHA-256 of the canonical JSON, hexadecimal. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
