/**
 * Fills a decision database with as many transactions as were asked for, within one disk and minutes:
 * indexes are taken off and put back as the schema defines them, and tables are filled side by side.
 * What comes of it is the real schema with every index, vacuumed and analysed.
 */
import pg from 'pg';
import {
  dropIndex,
  FILL_HEURISTICS,
  HOW_MANY,
  fillJournal,
  fillParticipants,
  fillRegister,
  INDEXES,
  makeIndex,
  SIZE,
  type Extent,
  type IndexRow,
} from './filling.sql.js';

const MONTH_MS = 30 * 86_400_000;
/** The youngest of the stuck have been so for longer than makes one stuck. */
const YOUNGEST_MS = 60_000;

const TABLES = ['journal', 'journal_participant', 'decision'].map((name) => `concordat.${name}`);
const autovacuum = (table: string, said: string): string => `ALTER TABLE ${table} ${said}`;

const SESSION = [
  `SET synchronous_commit = off`,
  `SET maintenance_work_mem = '400MB'`,
  `SET statement_timeout = 0`,
];

export interface Filling {
  readonly url: string;
  readonly transactions: number;
  readonly stuck: number;
  readonly log: (line: string) => void;
}

/** Resolves with how large the database has become. */
export async function fill({ url, transactions, stuck, log }: Filling): Promise<string> {
  const lastAtMs = Date.now() - YOUNGEST_MS;
  const stepMs = MONTH_MS / transactions;
  const firstAtMs = Math.round(lastAtMs - MONTH_MS);
  const extent: Extent = { transactions, stuck, firstAtMs, stepMs };
  const told = (what: string, statements: readonly string[]) => run(url, what, statements, log);

  const { rows: indexes } = await asking<IndexRow>(url, INDEXES);
  await told('indexes off', [
    ...TABLES.map((table) => autovacuum(table, 'SET (autovacuum_enabled = off)')),
    ...indexes.map(dropIndex),
  ]);
  await Promise.all([
    told('journal', fillJournal(extent)),
    told('journal by participant', fillParticipants(extent)),
    told('register', fillRegister(extent)),
  ]);
  const ofTable = (table: string) => indexes.filter((one) => one.table === table).map(makeIndex);
  await Promise.all(TABLES.map((table) => told(`indexes of ${table}`, ofTable(table))));
  await told('heuristics', [FILL_HEURISTICS]);
  await Promise.all(TABLES.map((table) => told(`vacuum ${table}`, [`VACUUM (ANALYZE) ${table}`])));
  await told('autovacuum on', [
    ...TABLES.map((table) => autovacuum(table, 'RESET (autovacuum_enabled)')),
    'ANALYZE concordat.heuristic',
    'CHECKPOINT',
  ]);
  const { rows } = await asking<{ size: string }>(url, SIZE);
  return rows[0]?.size ?? 'unknown';
}

/** Whether this database was filled before. */
export async function isFilled(url: string): Promise<boolean> {
  const { rows } = await asking<{ transactions: number }>(url, HOW_MANY);
  return (rows[0]?.transactions ?? 0) > 0;
}

async function run(
  url: string,
  what: string,
  statements: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  const began = performance.now();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of [...SESSION, ...statements]) await client.query(statement);
  } finally {
    await client.end();
  }
  log(`${what}: ${((performance.now() - began) / 1_000).toFixed(0)} s`);
}

async function asking<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
): Promise<pg.QueryResult<Row>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query<Row>(text);
  } finally {
    await client.end();
  }
}
