/**
 * Applies `prisma/migrations`, one instance at a time. A service of your own runs `prisma migrate deploy`
 * before it starts; that fetches an engine, which an example that starts everywhere cannot.
 */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';

const FOLDER = new URL('../prisma/migrations/', import.meta.url);
const LOCK = 7_416;

export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query('CREATE TABLE IF NOT EXISTS applied_migration (name text PRIMARY KEY)');
    const { rows } = await client.query<{ name: string }>('SELECT name FROM applied_migration');
    const applied = new Set(rows.map(({ name }) => name));
    const names = readdirSync(FOLDER).filter((name) => /^\d{14}_/.test(name) && !applied.has(name));
    for (const name of names.sort()) {
      const text = readFileSync(new URL(`${name}/migration.sql`, FOLDER), 'utf8');
      await client.query('BEGIN');
      await client.query(text);
      await client.query('INSERT INTO applied_migration VALUES ($1)', [name]);
      await client.query('COMMIT');
    }
  } finally {
    await client.end();
  }
}
