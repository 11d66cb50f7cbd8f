/**
 * API keys: how one is made, hashed and stored. Guards "hashed at rest": the coordinator never holds
 * a key, only SHA-256 of it; 256 random bits need no slow hash. A key shorter than a generated one
 * is refused before it is looked up, so a weak key that a person made up cannot serve even if its hash is
 * stored.
 */
import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';

/**
 * From the least to the most: `client` sees and does what is its own · `viewer` looks at everything and
 * changes nothing · `operator` acts by the rules · `force` acts where the rules have no answer left.
 */
export const SCOPES = ['client', 'viewer', 'operator', 'force'] as const;
export type Scope = (typeof SCOPES)[number];

/** Whether a scope includes another. */
export function includes(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

export const KEY_LENGTH_MIN = 32;
const keyId = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** One stored key: a line of the keys file. */
export const StoredKey = z.strictObject({
  id: z.string().regex(keyId, 'must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit'),
  scope: z.enum(SCOPES, { error: 'must be "client", "viewer", "operator" or "force"' }),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case'),
});
export type StoredKey = z.infer<typeof StoredKey>;

export function hashKey(key: string): string {
  return sha256Of(key).toString('hex');
}

/** SHA-256 of a key, 32 bytes. */
export function sha256Of(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** A new key and what to store of it. The key is shown once and kept nowhere. */
export function generateKey(id: string, scope: Scope): { key: string; stored: StoredKey } {
  const key = `concordat_${scope}_${randomBytes(32).toString('base64url')}`;
  return { key, stored: { id, scope, sha256: hashKey(key) } };
}

/** Words that somebody typed instead of generating a key, as they would be found hashed. */
const DEFAULTS = [
  '',
  'admin',
  'api-key',
  'apikey',
  'changeme',
  'change-me',
  'client',
  'concordat',
  'default',
  'demo',
  'dev',
  'development',
  'example',
  'force',
  'key',
  'local',
  'operator',
  'password',
  'secret',
  'test',
  'token',
  'viewer',
];
const defaultHashes: ReadonlyMap<string, string> = new Map(
  DEFAULTS.map((word) => [hashKey(word), word]),
);

/** The default word behind a stored hash, if it is one of the usual suspects. */
export function defaultWordOf(sha256: string): string | undefined {
  return defaultHashes.get(sha256);
}
