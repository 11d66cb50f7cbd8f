/**
 * What atomicity costs: transactions written directly over pg, through the same services without atomicity,
 * and through Concordat, in turns on one machine. Prints tables, writes every sample as JSON, and with `write` the tables
 * into docs/performance.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { ROOT } from '../root.js';
import { LoadProcess } from '../turns.js';
import type { Durability } from '../durable.js';
import { Arenas, type Say } from './arenas.js';
import { countCases, type Counted } from './count.js';
import { measureCase, type CaseResult } from './measure.js';
import type { Plan } from './plan.js';
import {
  besideHead,
  besideRows,
  countedTable,
  processorHead,
  processorRows,
  throughputHead,
  throughputRows,
} from './tables.js';
import type { Loads } from './ways.js';
import { between } from './written.js';

export interface CompareOptions {
  readonly plan: Plan;
  /** Where every sample goes. */
  readonly json: string;
  /** Whether docs/performance.md gets the tables. */
  readonly write: boolean;
  /** Whether one transaction at a time is counted, too. */
  readonly count: boolean;
}

export interface Report {
  readonly machine: ReturnType<typeof machine>;
  readonly servers: readonly (Durability & { readonly name: string; readonly postgres: string })[];
  readonly rounds: number;
  readonly durationMs: number;
  readonly cases: readonly CaseResult[];
  readonly counted: readonly Counted[];
}

const say: Say = (line) => void process.stderr.write(`  ${line}\n`);

export async function compare({ plan, json, write, count }: CompareOptions): Promise<Report> {
  const about = machine();
  const loads: Loads = {
    byHand: LoadProcess.start('hand-written', resolve(ROOT, 'test/bench/dist/compare/by-hand.js')),
    leanClient: LoadProcess.start(
      'lean client',
      resolve(ROOT, 'test/bench/dist/compare/lean-client.js'),
    ),
  };
  try {
    const { cases, servers } = await measured(plan, loads);
    const counted = count ? await countedOnes(plan, loads) : [];
    const { rounds, durationMs } = plan;
    const report: Report = { machine: about, servers, rounds, durationMs, cases, counted };
    mkdirSync(dirname(resolve(json)), { recursive: true });
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
    say(`every sample is in ${json}`);
    if (write) writePage(report);
    return report;
  } finally {
    await Promise.all([loads.byHand.stop(), loads.leanClient.stop()]);
  }
}

async function measured(plan: Plan, loads: Loads) {
  const arenas = await Arenas.for(plan, false, say);
  try {
    const cases: CaseResult[] = [];
    for (const [at, one] of plan.cases.entries()) {
      const result = await measureCase(one, plan, arenas, loads, (line) =>
        say(`case ${at + 1} of ${plan.cases.length}: ${line}`),
      );
      cases.push(result);
      tell(result);
    }
    const servers = [...arenas.all].map(([name, arena]) => ({
      name,
      postgres: arena.postgres.version,
      ...arena.durability,
    }));
    return { cases, servers };
  } finally {
    await arenas.dispose();
  }
}

async function countedOnes(plan: Plan, loads: Loads): Promise<Counted[]> {
  const arenas = await Arenas.for(plan, true, say);
  try {
    const counted = await countCases(plan, arenas, loads, say);
    console.log(`\n${countedTable(counted)}`);
    return counted;
  } finally {
    await arenas.dispose();
  }
}

/** Whether it is compared with the hand-written version, or one Concordat with another. */
function againstHand({ case: { ways } }: CaseResult): boolean {
  return ways.includes('hand') || ways.includes('apart');
}

function tell(result: CaseResult): void {
  const [head, rows] = againstHand(result)
    ? [throughputHead(), throughputRows(result)]
    : [besideHead(), besideRows(result)];
  console.log(`\n${head}\n${rows}\n\n${processorHead()}\n${processorRows(result)}`);
  for (const way of Object.values(result.ways))
    if (way.failure !== undefined) console.log(`first failure: ${way.failure}`);
}

function machine() {
  const [processor] = cpus();
  const load = loadavg()[0]?.toFixed(1) ?? '';
  const revision = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT });
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: processor?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1_073_741_824),
    node: process.version,
    loadBefore: load,
    revision: revision.toString().trim(),
  };
}

/** Puts the tables of a run into docs/performance.md. */
export function writePage(report: Report): void {
  const file = resolve(ROOT, 'docs/performance.md');
  const { machine: on, rounds, durationMs, cases, servers } = report;
  const against = cases.filter(againstHand);
  const beside = cases.filter((one) => !againstHand(one));
  const joined = (all: readonly CaseResult[], rows: (one: CaseResult) => string) =>
    all.map(rows).join('\n');
  const text = [
    `${on.date}, ${on.cores} cores of ${on.processor}, load ${on.loadBefore} before, Node ${on.node}, Postgres ` +
      `${servers[0]?.postgres}, revision ${on.revision}, ${rounds} rounds of ${durationMs / 1_000} seconds.`,
    `${throughputHead()}\n${joined(against, throughputRows)}`,
    ...(beside.length === 0 ? [] : [`${besideHead()}\n${joined(beside, besideRows)}`]),
    `${processorHead()}\n${joined(cases, processorRows)}`,
    ...(report.counted.length === 0 ? [] : [countedTable(report.counted)]),
  ].join('\n\n');
  writeFileSync(file, between(readFileSync(file, 'utf8'), 'compare', text));
  say(`${file} has the tables`);
}
