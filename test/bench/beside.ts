/**
 * This build beside another one, in turns on the same machine: what a change costs. Both have servers of
 * their own; the ratio is taken round by round, so that a machine that changes its mind does so for both.
 */
import { load, median } from './load.js';
import { openStage, type Stage } from './stage.js';
import { transferThrough, type Turns } from './throughput.js';

const CLIENTS = 32;

/** Prints both builds' transactions per second, and the median ratio of this one to the other. */
export async function measureBeside(root: string, { rounds, durationMs }: Turns): Promise<void> {
  const stages: Stage[] = [];
  try {
    stages.push(await openStage(), await openStage(root));
    const transfers = stages.map((stage) => transferThrough(stage, 'completed'));
    for (const one of transfers) await load(CLIENTS, Math.min(durationMs, 3_000), one); // Warm.
    const rates: number[][] = transfers.map(() => []);
    for (let round = 1; round <= rounds; round++) {
      process.stderr.write(`  round ${round} of ${rounds}\n`);
      // Who is first changes, so that neither always follows the other.
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      for (const at of order) {
        const { perSecond } = await load(CLIENTS, durationMs, transfers[at]!);
        rates[at]?.push(perSecond);
      }
    }
    const [ours = [], theirs = []] = rates;
    const ratios = ours.map((rate, at) => rate / (theirs[at] ?? Number.NaN));
    const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`;
    console.log('| Build | tx/s, median | of the other, median of rounds | lowest | highest |');
    console.log('| --- | --- | --- | --- | --- |');
    console.log(
      `| this one | ${median(ours).toFixed(0)} | ${percent(median(ratios))} | ` +
        `${percent(Math.min(...ratios))} | ${percent(Math.max(...ratios))} |`,
    );
    console.log(`| the other | ${median(theirs).toFixed(0)} | | | |`);
  } finally {
    for (const stage of stages) await stage.dispose();
  }
}
