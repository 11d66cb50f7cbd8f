/**
 * What atomicity costs: transactions written directly over pg, through the same services without atomicity,
 * and through Concordat, in turns on one machine. Prints tables, keeps every sample as JSON case by case, and with
 * `write` puts the tables into docs/performance.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ROOT } from '../root.js';
import { LoadProcess } from '../turns.js';
import { Arenas, type Say } from './arenas.js';
import { countCases, type Counted } from './count.js';
import { machine } from './machine.js';
import { measureCase, warm, type CaseResult } from './measure.js';
import type { Case, Plan } from './plan.js';
import { Progress } from './progress.js';
import { ReportFile, type Report } from './report.js';
import {
  besideHead,
  besideRows,
  countedTable,
  processorHead,
  processorRows,
  throughputHead,
  throughputRows,
} from './tables.js';
import { sizingOf } from './sizing.js';
import { targetTable } from './targets.js';
import type { Loads } from './ways.js';
import { between } from './written.js';

export interface CompareOptions {
  readonly plan: Plan;
  /** Where every sample goes. */
  readonly json: string;
  /** Whether what this file holds already is kept, and not measured again. */
  readonly resume: boolean;
  /** Whether docs/performance.md gets the tables. */
  readonly write: boolean;
  /** Whether one transaction at a time is counted, too. */
  readonly count: boolean;
}

const say: Say = (line) => void process.stderr.write(`  ${line}\n`);

export async function compare({
  plan,
  json,
  resume,
  write,
  count,
}: CompareOptions): Promise<Report> {
  const file = ReportFile.open(json, plan, machine(), resume);
  const loads: Loads = {
    byHand: LoadProcess.start('hand-written', resolve(ROOT, 'test/bench/dist/compare/by-hand.js')),
    leanClient: LoadProcess.start(
      'lean client',
      resolve(ROOT, 'test/bench/dist/compare/lean-client.js'),
    ),
  };
  const stages = plan.stages
    .map((cases) => cases.filter((one) => !file.has(one)))
    .filter((cases) => cases.length > 0);
  const shapes = plan.counted.filter(
    (shape) => count && !file.value.counted.some((one) => one.shape === shape),
  );
  const progress = new Progress(stages, plan, shapes.length > 0);
  say(`${stages.flat().length} cases are to be measured, ${progress.left()}`);
  try {
    for (const cases of stages) await measureStage(cases, plan, file, loads, progress);
    if (shapes.length > 0) file.count(await countedOnes({ ...plan, counted: shapes }, loads));
    const targets = targetTable(file.value.cases);
    if (targets !== undefined) console.log(`\n${targets}`);
    say(`every sample is in ${json}`);
    if (write) writePage(file.value);
    return file.value;
  } finally {
    await Promise.all([loads.byHand.stop(), loads.leanClient.stop()]);
  }
}

async function measureStage(
  cases: readonly Case[],
  plan: Plan,
  file: ReportFile,
  loads: Loads,
  progress: Progress,
): Promise<void> {
  const arenas = await Arenas.for(cases, plan, false, say);
  try {
    file.ran(
      [...arenas.all].map(([name, { postgres, durability }]) => ({
        name,
        postgres: postgres.version,
        ...durability,
      })),
    );
    say('a few seconds of each, before anything counts');
    await warm(cases, plan, arenas, loads);
    progress.started(cases);
    for (const one of cases) {
      const at = plan.cases.indexOf(one) + 1;
      const result = await measureCase(one, plan, arenas, loads, progress, (line) =>
        say(`case ${at} of ${plan.cases.length}: ${line}`),
      );
      await arenas.assertDurable();
      file.add(result);
      tell(result);
    }
  } finally {
    await arenas.dispose();
  }
}

async function countedOnes(plan: Plan, loads: Loads): Promise<Counted[]> {
  const cases = plan.cases.map((one) => ({ ...one, participants: 2 }));
  const arenas = await Arenas.for(cases, plan, true, say);
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

/** Puts the tables of a run into docs/performance.md, and what follows from them into docs/sizing.md. */
export function writePage(report: Report): void {
  const file = resolve(ROOT, 'docs/performance.md');
  writeFileSync(file, between(readFileSync(file, 'utf8'), 'compare', pageOf(report)));
  say(`${file} has the tables`);
  const sizing = sizingOf(report);
  if (sizing === undefined) return;
  const page = resolve(ROOT, 'docs/sizing.md');
  writeFileSync(page, between(readFileSync(page, 'utf8'), 'sizing', sizing));
  say(`${page} calculates with them`);
}

export function pageOf({
  machine: on,
  rounds,
  durationMs,
  cases,
  servers,
  counted,
}: Report): string {
  const against = cases.filter(againstHand);
  const beside = cases.filter((one) => !againstHand(one));
  const joined = (all: readonly CaseResult[], rows: (one: CaseResult) => string) =>
    all.map(rows).join('\n');
  const targets = targetTable(cases);
  return [
    `${on.date}, ${on.cores} cores of ${on.processor}, load ${on.loadBefore} before, Node ${on.node}, Postgres ` +
      `${servers[0]?.postgres}, revision ${on.revision}, ${rounds} rounds of ${durationMs / 1_000} seconds.`,
    ...(targets === undefined ? [] : [targets]),
    ...(against.length === 0 ? [] : [`${throughputHead()}\n${joined(against, throughputRows)}`]),
    ...(beside.length === 0 ? [] : [`${besideHead()}\n${joined(beside, besideRows)}`]),
    `${processorHead()}\n${joined(cases, processorRows)}`,
    ...(counted.length === 0 ? [] : [countedTable(counted)]),
  ].join('\n\n');
}
