/**
 * Applies the participant's migrations: one transaction under an advisory lock, so that several
 * instances may start at once. The lock is the transaction's, not the connection's: behind a
 * transaction pooler the connection is not ours to lock with.
 */
import type { ParticipantName } from '@concordat/protocol';
import type { Pool, PoolClient } from 'pg';
import { BEGIN, COMMIT, identifier } from './branch.sql.js';
import {
  APPLIED_VERSION,
  MIGRATION_LOCK,
  SCHEMA_EXISTS,
  createSchemaSql,
  migrations,
  noteVersionSql,
  outcomeTable,
  tableOwnerSql,
} from './migration.sql.js';
import { lend } from './pools.js';

/** Whose an outcome table is, as far as it says. */
export interface TableOwner {
  /** As noted in its comment. */
  readonly noted?: string;
  /** Some other participant with rows in it. */
  readonly found?: string;
  readonly mayNote: boolean;
}

/** Whose the outcome table of a schema is, for a participant that would use it. */
export async function ownerOfTable(
  db: Pool | PoolClient,
  schema: string,
  participant: ParticipantName,
): Promise<TableOwner> {
  const { rows } = await db.query<{
    noted: string | null;
    found: string | null;
    may_note: boolean;
  }>(tableOwnerSql(schema), [participant, outcomeTable(schema)]);
  const { noted, found, may_note: mayNote } = rows[0] ?? {};
  return { ...(noted ? { noted } : {}), ...(found ? { found } : {}), mayNote: mayNote === true };
}

/**
 * Brings the outcome table of a schema up to date and notes whose it is, if nobody's yet: two services
 * share a database, never a table. Returns the number of migrations applied.
 */
export async function migrateOutcomeTable(
  pool: Pool,
  schema = 'public',
  participant?: ParticipantName,
): Promise<number> {
  const all = migrations(schema);
  return lend(await pool.connect(), async (client) => {
    await client.query(BEGIN);
    await client.query(MIGRATION_LOCK);
    const found = await client.query<{ present: boolean }>(SCHEMA_EXISTS, [identifier(schema)]);
    if (!found.rows[0]?.present) await client.query(createSchemaSql(schema));
    const read = await client.query<{ version: number | null }>(APPLIED_VERSION, [
      outcomeTable(schema),
    ]);
    const version = read.rows[0]?.version ?? 0;
    for (const migration of all.slice(version)) await client.query(migration);
    if (version < all.length) await client.query(noteVersionSql(schema, all.length, participant));
    else if (participant !== undefined) await claim(client, schema, participant, version);
    await client.query(COMMIT);
    return Math.max(0, all.length - version);
  });
}

/** A table of an earlier version says nothing: it becomes the first one's that has it for itself. */
async function claim(
  client: PoolClient,
  schema: string,
  participant: ParticipantName,
  version: number,
): Promise<void> {
  const { noted, found, mayNote } = await ownerOfTable(client, schema, participant);
  if (noted !== undefined || found !== undefined || !mayNote) return;
  await client.query(noteVersionSql(schema, version, participant));
}
