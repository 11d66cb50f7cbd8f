/**
 * Transactions that collide: committed per second, times and aborts of each shape at each number of
 * clients. Shapes take turns within a round, so that a machine that changes its mind does so for all of
 * them; medians over the rounds are printed, and beside each its share of the one hot row of the same run.
 */
import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { openStage, type Stage } from '../stage.js';
import { BESIDE_NAMES, COMPARED, fourBeside, type Beside } from './beside-a-crowd.js';
import { transfers, type Outcome } from './crowd.js';
import { Results, type Row } from './results.js';
import { ACCOUNTS, SHAPES, type Shape } from './shapes.js';

export interface ContentionOptions {
  readonly rounds: number;
  readonly durationMs: number;
  readonly clients: readonly number[];
  readonly shapes: readonly Shape[];
  /** Whether the four clients beside a crowd are measured. */
  readonly beside: boolean;
  /** The checkout whose built services are measured; this one by default. */
  readonly root?: string;
  /** Where the figures go as JSON; behind the tables by default. */
  readonly json?: string;
}

const ON_ONE_HOT_ROW: Shape = 'one hot row';

export async function measureContention(options: ContentionOptions): Promise<void> {
  const stage = await openStage(options.root, ['ledger-north']);
  try {
    await openAccounts(stage);
    await transfers({ stage, draw: SHAPES.disjoint, clients: 8, durationMs: 2_000 }); // Warm.
    const shapes = new Results<Shape>();
    const four = new Results<Beside>();
    for (let round = 1; round <= options.rounds; round++) {
      await measureShapes(stage, options, shapes, round);
      if (options.beside) await measureBesides(stage, options, four, round);
    }
    tell(options, shapes, four);
  } finally {
    await stage.dispose();
  }
}

async function measureShapes(
  stage: Stage,
  { clients: loads, shapes, durationMs, rounds }: ContentionOptions,
  results: Results<Shape>,
  round: number,
): Promise<void> {
  for (const clients of loads) {
    for (const shape of shapes) {
      process.stderr.write(`  round ${round} of ${rounds}, ${clients} clients: ${shape}\n`);
      const outcome = await transfers({ stage, draw: SHAPES[shape], clients, durationMs });
      results.add(shape, clients, outcome);
    }
  }
}

async function measureBesides(
  stage: Stage,
  { durationMs, rounds }: ContentionOptions,
  results: Results<Beside>,
  round: number,
): Promise<void> {
  for (const name of BESIDE_NAMES) {
    process.stderr.write(`  round ${round} of ${rounds}, four clients beside ${name}\n`);
    results.add(name, 4, await fourBeside(stage, name, durationMs));
  }
}

function tell(
  { rounds, durationMs, json }: ContentionOptions,
  shapes: Results<Shape>,
  four: Results<Beside>,
): void {
  const collided = shapes.rows((_, clients) => shapes.rate(ON_ONE_HOT_ROW, clients));
  const beside = four.rows((name) => {
    const compared = COMPARED[name];
    return compared && four.rate(compared, 4);
  });
  print('Shape', 'of one hot row', collided);
  if (beside.length > 0) print('Four clients beside', 'of beside disjoint', beside);
  const figures = { rounds, durationMs, shapes: collided, beside };
  if (json === undefined) console.log(`\n${JSON.stringify(figures)}`);
  else writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`);
}

function print(what: string, share: string, rows: readonly Row[]): void {
  console.log(
    `\n| ${what} | clients | committed/s | ${share} | p50 ms | p99 ms | max ms | attempts | not committed |`,
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const row of rows) {
    const cells = [
      row.name,
      row.clients,
      row.committedPerSecond.toFixed(1),
      row.share === undefined ? '' : row.share.toFixed(2),
      row.p50Ms.toFixed(0),
      row.p99Ms.toFixed(0),
      row.maxMs.toFixed(0),
      row.attempts.toFixed(2),
      codes(row.aborted),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

function codes(aborted: Outcome['aborted']): string {
  const all = Object.entries(aborted).map(([code, count]) => `${count} ${code}`);
  return all.length === 0 ? '0' : all.join(', ');
}

export async function openAccounts({ ledgers }: Stage): Promise<void> {
  for (const connectionString of ledgers) {
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(
      `INSERT INTO account (id, balance) SELECT id, 1000000000 FROM unnest($1::text[]) id`,
      [ACCOUNTS],
    );
    await client.end();
  }
}
