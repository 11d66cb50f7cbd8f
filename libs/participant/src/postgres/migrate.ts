/**
 * Applies the participant's migrations: one transaction under an advisory lock, so that several
 * instances may start at once. The lock is the transaction's, not the connection's: behind a
 * transaction pooler the connection is not ours to lock with.
 */
import type { Pool } from 'pg';
import { BEGIN, COMMIT, ROLLBACK, identifier } from './branch.sql.js';
import {
  MIGRATION_LOCK,
  SCHEMA_EXISTS,
  createSchemaSql,
  migrations,
  noteVersionSql,
  versionSql,
} from './migration.sql.js';

/** Brings the outcome table of a schema up to date; returns the number of migrations applied. */
export async function migrateOutcomeTable(pool: Pool, schema = 'public'): Promise<number> {
  const all = migrations(schema);
  const client = await pool.connect();
  try {
    await client.query(BEGIN);
    await client.query(MIGRATION_LOCK);
    const found = await client.query<{ present: boolean }>(SCHEMA_EXISTS, [identifier(schema)]);
    if (!found.rows[0]?.present) await client.query(createSchemaSql(schema));
    const read = await client.query<{ version: number | null }>(versionSql(schema));
    const version = read.rows[0]?.version ?? 0;
    for (const migration of all.slice(version)) await client.query(migration);
    if (version < all.length) await client.query(noteVersionSql(schema, all.length));
    await client.query(COMMIT);
    client.release();
    return Math.max(0, all.length - version);
  } catch (error) {
    // A connection that cannot roll back is not worth keeping.
    await client.query(ROLLBACK).then(
      () => client.release(),
      (lost: Error) => client.release(lost),
    );
    throw error;
  }
}
