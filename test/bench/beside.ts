/**
 * This build beside another one, in turns on the same machine: what a change costs. Both have servers of
 * their own; the ratio is taken round by round, so that a machine that changes its mind does so for both.
 * Processor time per transaction is printed beside it: it says where a difference comes from, and hardly
 * depends on what else the machine does.
 */
import { load, median } from './load.js';
import { processorTimes } from './processor-time.js';
import { openStage, type Stage } from './stage.js';
import { transferThrough, type Turns } from './transfer-through.js';

const CLIENTS = 32;

/** One build: its servers while they run, and what each of its turns came to. */
interface Side {
  readonly name: string;
  readonly root: string | undefined;
  readonly perSecond: number[];
  /** Milliseconds of processor time per transaction of each turn, by process. */
  readonly spent: Map<string, number[]>;
}

/**
 * Prints both builds' transactions per second and processor times, and the ratios of this one's. Half of
 * the rounds are run on servers that were started in the other order: of two equal builds the one that
 * was started first was up to 7 % slower here, so each is first once.
 */
export async function measureBeside(root: string, { rounds, durationMs }: Turns): Promise<void> {
  const sides = [
    { name: 'this one', root: undefined, perSecond: [], spent: new Map() },
    { name: 'the other', root, perSecond: [], spent: new Map() },
  ] satisfies Side[];
  const half = Math.max(1, Math.ceil(rounds / 2));
  await measureHalf(sides, { rounds: half, durationMs });
  await measureHalf([...sides].reverse(), { rounds: half, durationMs });
  printThroughput(sides, half);
  printProcessorTime(sides);
}

async function measureHalf(sides: readonly Side[], { rounds, durationMs }: Turns): Promise<void> {
  const running: { side: Side; stage: Stage }[] = [];
  try {
    for (const side of sides) running.push({ side, stage: await openStage(side.root) });
    for (const { stage } of running) {
      await load(CLIENTS, Math.min(durationMs, 3_000), transferThrough(stage, 'completed')); // Warm.
    }
    for (let round = 1; round <= rounds; round++) {
      process.stderr.write(`  ${sides[0]?.name} started first, round ${round} of ${rounds}\n`);
      // The first one alternates, so that neither always follows the other.
      const order = round % 2 === 0 ? running : [...running].reverse();
      for (const { side, stage } of order) await turn(side, stage, durationMs);
    }
  } finally {
    for (const { stage } of running) await stage.dispose();
  }
}

async function turn({ perSecond, spent }: Side, stage: Stage, durationMs: number): Promise<void> {
  const before = processorTimes(stage);
  const result = await load(CLIENTS, durationMs, transferThrough(stage, 'completed'));
  perSecond.push(result.perSecond);
  for (const [name, ms] of processorTimes(stage)) {
    const each = (ms - (before.get(name) ?? Number.NaN)) / result.completed;
    spent.set(name, [...(spent.get(name) ?? []), each]);
  }
}

/** The ratio is the geometric mean of both halves' medians: what the order of starting does cancels out. */
function printThroughput(sides: readonly Side[], half: number): void {
  const [ours, theirs] = sides.map((one) => one.perSecond) as [number[], number[]];
  const ratios = ours.map((rate, at) => rate / (theirs[at] ?? Number.NaN));
  const [first, second] = [ratios.slice(0, half), ratios.slice(half)].map(median) as [
    number,
    number,
  ];
  console.log('| Build | tx/s, median | of the other | started first | started second |');
  console.log('| --- | --- | --- | --- | --- |');
  console.log(
    `| this one | ${median(ours).toFixed(0)} | ${percent(Math.sqrt(first * second))} | ` +
      `${percent(first)} | ${percent(second)} |`,
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
