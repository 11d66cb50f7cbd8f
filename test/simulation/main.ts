/**
 * `npm run simulate -- [--seeds N] [--from S] [--jobs N] [--record file] [--keep-going]
 * [--only faults] [--without faults]`: runs seeds on all cores, those of seeds.txt first, stops at the
 * first that fails, prints its story and the command that replays it.
 * `npm run simulate -- --seed S`: runs one seed and prints its story.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runCrew } from './crew.js';
import { NO_FAULTS, narrowed, type FaultName, type Narrowing } from './options.js';
import { summary, writeRecord, type RunRecord } from './record.js';
import { foundSeeds, runSeed, storyOf } from './run-seed.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    record: { type: 'string' },
    'keep-going': { type: 'boolean', default: false },
    only: { type: 'string' },
    without: { type: 'string' },
    seed: { type: 'string' },
  },
});

const RECORD_EVERY_MS = 5_000;
const LINE_EVERY_MS = 30_000;

function faults(list: string): FaultName[] {
  return list.split(',').map((name) => {
    if (name in NO_FAULTS) return name as FaultName;
    const known = Object.keys(NO_FAULTS).join(', ');
    throw new Error(`no fault is called "${name}"; use some of: ${known}`);
  });
}

/** A whole number from the command line, at least `least`. */
function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${name} takes a whole number from ${least}, not "${text}"`);
}

const narrowing: Narrowing = {
  ...(values.only === undefined ? {} : { only: faults(values.only) }),
  ...(values.without === undefined ? {} : { without: faults(values.without) }),
};
const flags = [
  values.only === undefined ? '' : ` --only ${values.only}`,
  values.without === undefined ? '' : ` --without ${values.without}`,
].join('');
const settings = { adjust: (drawn: Parameters<typeof narrowed>[0]) => narrowed(drawn, narrowing) };

/** A bar on a terminal, now and then a line in a log, and the record file. */
function progress(): (record: RunRecord) => void {
  const live = process.stderr.isTTY;
  let lineAt = 0;
  let recordAt = 0;
  return (record) => {
    const { run, asked, seedsPerSecond, seconds } = record;
    const bar = '█'.repeat(Math.round((run / asked) * 30)).padEnd(30, '·');
    const left = Math.round((asked - run) / Math.max(1, seedsPerSecond) / 60);
    const line = `${bar} ${run}/${asked} seeds, ${seedsPerSecond}/s, ${left} min left, ${record.failed.length} failed`;
    const now = seconds * 1_000;
    if (live) process.stderr.write(`\r${line}`);
    else if (now - lineAt > LINE_EVERY_MS) {
      lineAt = now;
      process.stderr.write(`${line}\n`);
    }
    if (values.record !== undefined && now - recordAt > RECORD_EVERY_MS) {
      recordAt = now;
      writeRecord(values.record, record);
    }
  };
}

async function simulate(): Promise<number> {
  for (const seed of foundSeeds(new URL('../', import.meta.url))) {
    if ((await runSeed(seed)).complaints.length > 0) return tell(seed);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const record = await runCrew(
    {
      from: count('from', values.from, 0),
      seeds: count('seeds', values.seeds, 1),
      jobs: count('jobs', values.jobs, 1),
      narrowing,
      keepGoing: values['keep-going'],
      progress: progress(),
    },
    stop.signal,
  );
  if (values.record !== undefined) writeRecord(values.record, record);
  console.log(`\n${summary(record)}`);
  const [first] = record.failed;
  if (first) return tell(first.seed);
  if (record.state === 'interrupted') console.log(`resume with --from ${record.resumeFrom}`);
  else console.log('every checker content');
  return record.state === 'finished' ? 0 : 1;
}

async function tell(seed: number): Promise<number> {
  console.log(await storyOf(seed, settings, flags));
  return (await runSeed(seed, settings)).complaints.length > 0 ? 1 : 0;
}

process.exitCode =
  values.seed === undefined ? await simulate() : await tell(count('seed', values.seed, 0));
