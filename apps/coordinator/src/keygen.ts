/**
 * `main.js keygen --scope client --id my-service`: makes an API key. Guards "shown once, hashed at
 * rest": the key goes to standard output and nowhere else, beside the line to store.
 */
import { parseArgs } from 'node:util';
import { generateKey, SCOPES, StoredKey, type Scope } from './platform/api-key.js';

const USAGE = 'usage: main.js keygen --scope client|viewer|operator|force --id <name> [--json]';

/** Runs the command; returns the exit code. */
export function keygen(args: readonly string[], write: (line: string) => void): number {
  const given = parse(args);
  if (!given) {
    write(USAGE);
    return 2;
  }
  const { scope, id, json } = given;
  if (!SCOPES.some((one) => one === scope) || !StoredKey.shape.id.safeParse(id).success) {
    write(USAGE);
    return 2;
  }
  const { key, stored } = generateKey(id as string, scope as Scope);
  if (json) {
    write(JSON.stringify({ key, stored }));
    return 0;
  }
  write(`key, shown once:       ${key}`);
  write(`line for the key file: ${JSON.stringify(stored)}`);
  write('The key file (CONCORDAT_KEYS_FILE) is a JSON array of such lines.');
  return 0;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { scope: { type: 'string' }, id: { type: 'string' }, json: { type: 'boolean' } },
    }).values;
  } catch {
    return undefined; // An option that is not known.
  }
}
