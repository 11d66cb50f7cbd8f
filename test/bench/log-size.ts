/**
 * What a finished transaction leaves behind: the growth of every table and index, in the decision database and
 * in each participant's, over so many transfers between two participants. As many come first: what is dead
 * of them is used again, as it is all the time under a steady load.
 */
import { resolve } from 'node:path';
import pg from 'pg';
import { Arena } from './compare/arena.js';
import { targetOf } from './compare/ways.js';
import { ROOT } from './root.js';
import { LoadProcess } from './turns.js';

const CLIENTS = 8;
const TURN_MS_MAX = 600_000;

/** Vacuumed before it is looked at. */
const SIZES = `
SELECT coalesce(i.indrelid, c.oid)::regclass::text AS table, c.relname AS relation,
       pg_relation_size(c.oid)::float8 + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::float8 AS bytes
  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relnamespace = ANY ($1::regnamespace[]) AND c.relkind IN ('r', 'i')`;

type Sizes = Map<string, { readonly table: string; readonly bytes: number }>;

/** Prints a table. */
export async function measureLogSize(transactions: number): Promise<void> {
  const load = LoadProcess.start(
    'lean client',
    resolve(ROOT, 'test/bench/dist/compare/lean-client.js'),
  );
  const arena = await Arena.open('concordat', {
    participants: 2,
    through: ['typeorm'],
    coordinators: 1,
    counting: false,
  });
  try {
    const target = targetOf('completed', arena);
    const turn = { target, shape: 'write', through: 'typeorm', participants: 2 } as const;
    const run = (count: number) =>
      load.turn({ ...turn, clients: CLIENTS, durationMs: TURN_MS_MAX, transactions: count });
    await run(transactions);
    const databases = { register: arena.decisions, ...arena.databases };
    const before = await all(databases);
    const { completed } = await run(transactions);
    const after = await all(databases);
    tell(before, after, completed);
  } finally {
    await arena.dispose();
    await load.stop();
  }
}

async function all(databases: Readonly<Record<string, string>>): Promise<Map<string, Sizes>> {
  const found = new Map<string, Sizes>();
  for (const [name, url] of Object.entries(databases)) found.set(name, await sizes(url));
  return found;
}

async function sizes(connectionString: string): Promise<Sizes> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    // What one of them empties, another one puts to use once no session can look into it.
    for (const text of ['VACUUM', 'SELECT pg_current_xact_id()', 'VACUUM']) {
      await client.query(text);
    }
    const { rows: schemas } = await client.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname IN ('concordat', 'public')`,
    );
    const { rows } = await client.query<{ table: string; relation: string; bytes: number }>(SIZES, [
      schemas.map((one) => one.name),
    ]);
    return new Map(rows.map(({ table, relation, bytes }) => [relation, { table, bytes }]));
  } finally {
    await client.end();
  }
}

function tell(before: Map<string, Sizes>, after: Map<string, Sizes>, completed: number): void {
  console.log(`| Bytes per transaction, of ${completed} | table or index | bytes |`);
  console.log('| --- | --- | --- |');
  for (const [database, grown] of after) {
    let sum = 0;
    for (const [relation, { table, bytes }] of grown) {
      const each = (bytes - (before.get(database)?.get(relation)?.bytes ?? 0)) / completed;
      if (each < 1) continue;
      sum += each;
      console.log(`| ${database} | ${table}: ${relation} | ${each.toFixed(0)} |`);
    }
    console.log(`| ${database} | all | ${sum.toFixed(0)} |`);
  }
}
