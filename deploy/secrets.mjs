// Makes the secrets of docker-compose.yml, once: passwords of databases and broker users, and two API
// keys of which only the hashes are kept. Guards "no default secret": without this file compose does not
// start, and nothing is ever overwritten, since the databases keep the passwords of their first start.
// Needs nothing but Node, and writes nothing but the one file.

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const PASSWORDS = [
  'POSTGRES_PASSWORD',
  'CONCORDAT_DB_PASSWORD',
  'LEDGER_EAST_DB_PASSWORD',
  'LEDGER_WEST_DB_PASSWORD',
  'INVENTORY_DB_PASSWORD',
  'NATS_COORDINATOR_PASSWORD',
  'NATS_ANSWERS_PASSWORD',
  'NATS_LEDGER_EAST_PASSWORD',
  'NATS_LEDGER_WEST_PASSWORD',
  'NATS_INVENTORY_PASSWORD',
];
const SCOPES = ['client', 'operator'];

const file = resolve(process.argv[2] ?? '.concordat/compose.env');

// A letter first: nats-server reads a value that begins like a number as one. No sign that an address
// would have to escape.
const passwords = PASSWORDS.map((name) => `${name}=p${randomBytes(24).toString('base64url')}`);
const keys = SCOPES.map((scope) => ({
  scope,
  key: `concordat_${scope}_${randomBytes(32).toString('base64url')}`,
}));
const hashes = keys.map(({ scope, key }) => {
  const hash = createHash('sha256').update(key).digest('hex');
  return `CONCORDAT_${scope.toUpperCase()}_KEY_SHA256=${hash}`;
});

mkdirSync(dirname(file), { recursive: true });
try {
  writeFileSync(file, `${[...passwords, ...hashes].join('\n')}\n`, { mode: 0o600, flag: 'wx' });
} catch (error) {
  if (error.code !== 'EEXIST') throw error;
  console.error(
    `${file} is there already and stays as it is. To begin again, remove the volumes ` +
      `(docker compose --env-file ${file} down --volumes), then the file.`,
  );
  process.exit(1);
}
console.log(`secrets for docker compose: ${file}`);
for (const { scope, key } of keys) console.log(`API key (${scope}), shown once: ${key}`);
