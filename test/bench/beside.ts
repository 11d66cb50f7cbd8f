/**
 * This build beside another one, in turns on the same machine: what a change costs. Both have servers of
 * their own; the ratio is taken round by round, so that a machine that changes its mind does so for both.
 * Processor time per transaction is told beside it: it says where a difference comes from, and hardly
 * depends on what else the machine does.
 */
import { load, median } from './load.js';
import { processorTimes } from './processor-time.js';
import { openStage, type Stage } from './stage.js';
import { transferThrough, type Turns } from './throughput.js';

const CLIENTS = 32;

/** One build: its servers, and what each of its turns came to. */
interface Side {
  readonly name: string;
  readonly stage: Stage;
  readonly perSecond: number[];
  /** Milliseconds of processor time per transaction of each turn, by process. */
  readonly spent: Map<string, number[]>;
}

/** Prints both builds' transactions per second and processor times, and the ratios of this one's. */
export async function measureBeside(root: string, { rounds, durationMs }: Turns): Promise<void> {
  const sides: Side[] = [];
  try {
    for (const [name, at] of [['this one'], ['the other', root]] as const) {
      sides.push({ name, stage: await openStage(at), perSecond: [], spent: new Map() });
    }
    for (const side of sides) await turn(side, Math.min(durationMs, 3_000)); // Warm.
    for (const side of sides) forget(side);
    for (let round = 1; round <= rounds; round++) {
      process.stderr.write(`  round ${round} of ${rounds}\n`);
      // Who is first changes, so that neither always follows the other.
      const order = round % 2 === 0 ? sides : [...sides].reverse();
      for (const side of order) await turn(side, durationMs);
    }
    printThroughput(sides);
    printProcessorTime(sides);
  } finally {
    for (const { stage } of sides) await stage.dispose();
  }
}

async function turn({ stage, perSecond, spent }: Side, durationMs: number): Promise<void> {
  const before = processorTimes(stage);
  const result = await load(CLIENTS, durationMs, transferThrough(stage, 'completed'));
  perSecond.push(result.perSecond);
  for (const [name, ms] of processorTimes(stage)) {
    const each = (ms - (before.get(name) ?? Number.NaN)) / result.completed;
    spent.set(name, [...(spent.get(name) ?? []), each]);
  }
}

function forget({ perSecond, spent }: Side): void {
  perSecond.splice(0);
  spent.clear();
}

function printThroughput(sides: readonly Side[]): void {
  const [ours, theirs] = sides.map((one) => one.perSecond) as [number[], number[]];
  const ratios = ours.map((rate, at) => rate / (theirs[at] ?? Number.NaN));
  console.log('| Build | tx/s, median | of the other, median of rounds | lowest | highest |');
  console.log('| --- | --- | --- | --- | --- |');
  console.log(
    `| this one | ${median(ours).toFixed(0)} | ${percent(median(ratios))} | ` +
      `${percent(Math.min(...ratios))} | ${percent(Math.max(...ratios))} |`,
  );
  console.log(`| the other | ${median(theirs).toFixed(0)} | | | |`);
}

function printProcessorTime(sides: readonly Side[]): void {
  const [ours, theirs] = sides.map((one) => one.spent) as [Side['spent'], Side['spent']];
  const row = (name: string, mine: number, other: number) =>
    `| ${name} | ${mine.toFixed(2)} | ${other.toFixed(2)} | ${percent(mine / other)} |`;
  const sums = [ours, theirs].map((one) => [...one.values()].map(median));
  console.log('\n| Processor time, ms per transaction | this one | the other | of the other |');
  console.log('| --- | --- | --- | --- |');
  for (const [name, mine] of ours)
    console.log(row(name, median(mine), median(theirs.get(name) ?? [])));
  const [sum = 0, otherSum = 0] = sums.map((all) => all.reduce((one, next) => one + next, 0));
  console.log(row('all', sum, otherSum));
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
