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
  LIMIT_LOCK_WAIT,
  MIGRATION_LOCK,
  SCHEMA_EXISTS,
  createSchemaSql,
  migrations,
  noteVersionSql,
  outcomeTable,
  tableOwnerSql,
} from './migration.sql.js';
import { lend } from './pools.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';

/** Another session holds the lock on migrations, or a table that a migration changes. */
export class MigrationBlocked extends Error {
  override readonly name = 'MigrationBlocked';
}

/** The service's role may not make the outcome table. */
export class MigrationDenied extends Error {
  override readonly name = 'MigrationDenied';
}

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
 * Brings the outcome table of a schema up to date and notes whose it is, if it has no owner yet: two services
 * share a database, never a table. Returns the number of migrations applied. Idempotent: what was cut off
 * anywhere may be run again. Throws {@link MigrationBlocked} after three seconds of waiting for another
 * session, {@link MigrationDenied} without the right.
 */
export async function migrateOutcomeTable(
  pool: Pool,
  schema = 'public',
  participant?: ParticipantName,
): Promise<number> {
  const all = migrations(schema);
  try {
    return await lend(await pool.connect(), async (client) => {
      await client.query(BEGIN);
      await client.query(LIMIT_LOCK_WAIT);
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
  } catch (error) {
    throw explained(schema, error);
  }
}

/** A table of an earlier version has no owner: the first service that has it for itself becomes it. */
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

function explained(schema: string, error: unknown): unknown {
  switch (sqlErrorOf(error)?.code ?? '') {
    case SqlState.lockNotAvailable:
      return blocked(schema, error);
    case SqlState.noRight:
      return denied(schema, error);
    default:
      return error;
  }
}

function denied(schema: string, cause: unknown): MigrationDenied {
  return new MigrationDenied(
    `the service’s role may not make or update the outcome table in schema ${schema}: ${sqlErrorOf(cause)?.message}\n` +
      `Remedy: GRANT CREATE ON SCHEMA ${identifier(schema)} TO the role (ON DATABASE for a schema that is missing), or let its owner make the table and set migrate: false.`,
    { cause },
  );
}

function blocked(schema: string, cause: unknown): MigrationBlocked {
  return new MigrationBlocked(
    `the outcome table in schema ${schema} cannot be made or updated: another session holds the lock that its migration needs\n` +
      'Remedy: wait for that instance, or find it in pg_locks (locktype advisory, granted) and end it with pg_terminate_backend.',
    { cause },
  );
}
