// The SQL of this package: databases, each owned by a role of its own and closed to other roles,
// as it is between services that own their data. Identifiers and passwords cannot be bind parameters
// in these statements; they are quoted by the driver.

import pg from 'pg';

const ALREADY_THERE = new Set(['42710', '42P04', '23505']);

/** Runs `use` on a connection of its own. */
export async function onConnection<T>(
  url: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A server that is killed meanwhile must fail the query, not the whole process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Answers once the server takes statements. */
export async function answers(url: string): Promise<boolean> {
  return onConnection(url, async (client) => {
    await client.query('SELECT 1');
    return true;
  });
}

/** Makes the role if it is absent, and gives it this password. */
export async function ensureRole(client: pg.Client, role: string, password: string): Promise<void> {
  const name = client.escapeIdentifier(role);
  await tolerateExisting(() => client.query(`CREATE ROLE ${name} LOGIN`));
  await client.query(`ALTER ROLE ${name} PASSWORD ${client.escapeLiteral(password)}`);
}

/** Makes the database if it is absent, for its owner alone. */
export async function ensureDatabase(
  client: pg.Client,
  database: string,
  owner: string,
): Promise<void> {
  const name = client.escapeIdentifier(database);
  const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
  if (found.rowCount === 0) {
    const ownerName = client.escapeIdentifier(owner);
    await tolerateExisting(() => client.query(`CREATE DATABASE ${name} OWNER ${ownerName}`));
  }
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
}

// Two workers may make the same one at once.
async function tolerateExisting(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!ALREADY_THERE.has((error as { code?: string }).code ?? '')) throw error;
  }
}
