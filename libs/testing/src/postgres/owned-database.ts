// A database with an owner of its own on a server that was given, not started: what the development
// stack needs when it runs on somebody's Postgres.

import { ensureDatabase, ensureRole, onConnection } from './databases.sql.js';

/**
 * Makes a database owned by a role of the same name with this password, unless they are there, and
 * returns its address for that role. `adminUrl` must belong to a role that may create both.
 */
export async function createOwnedDatabase(
  adminUrl: string,
  database: string,
  password: string,
): Promise<string> {
  await onConnection(adminUrl, async (client) => {
    await ensureRole(client, database, password);
    await ensureDatabase(client, database, database);
  });
  const url = new URL(adminUrl);
  url.username = database;
  url.password = password;
  url.pathname = `/${database}`;
  return url.toString();
}
