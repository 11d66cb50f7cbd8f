/**
 * One run as a test: chaos, the verdict, and whether the verdict would notice. Guards "a run in which
 * nothing happened is not a good one": it must have committed, aborted and met nearly every fault.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { check, type Complaint } from '../checker/check.js';
import { fromLines, type Event } from '../checker/history.js';
import { SPOILS } from '../checker/spoil.js';
import { chaosRun } from './chaos-run.js';
import { linesOf, timelineOf } from './figures.js';
import { linesOfReturns, returnsOf } from './returns.js';

const ROOT = resolve(import.meta.dirname, '../../..');
/** Starting, healing, looking and ending, at most, beside the chaos itself. */
const AROUND_MS = 240_000;
const COMPLAINTS_SHOWN = 25;
/** A busy machine is down for most of a run, starting what was killed; ten times as many are usual. */
const COMMITS_PER_SECOND_MIN = 0.25;
/** Each of a dozen spoilt copies is judged again: of a long run that takes minutes. */
const SPOILT_SECONDS_MAX = 120;
const JUDGING_MS = 900_000;

export interface Held {
  readonly seed: number;
  readonly seconds: number;
  /** Keep the history of a good run too. */
  readonly keep: boolean;
}

export function holdsUnderChaos({ seed, seconds, keep }: Held): void {
  const path = resolve(ROOT, '.concordat/chaos', `seed-${seed}-${process.pid}.ndjson`);
  const say = (line: string): boolean => process.stderr.write(`chaos: ${line}\n`);
  it(
    `every invariant holds for ${seconds} s of faults from seed ${seed}`,
    async () => {
      const durationMs = seconds * 1_000;
      const report = await chaosRun({ seed, durationMs, path, keep, log: say });
      const { figures, complaints, history } = report;
      for (const line of linesOf(figures)) say(line);
      if (existsSync(path)) say(`history ${path}`);
      expect(verdict(path, complaints, { seed, seconds })).toEqual([]);
      if (seconds <= SPOILT_SECONDS_MAX) expect(acceptedThough(history)).toEqual([]);
      expect(figures.commits).toBeGreaterThan(seconds * COMMITS_PER_SECOND_MIN);
      expect(figures.tombstones).toBeGreaterThan(0);
      expect(figures.alone).toBeGreaterThan(0);
      expect(figures.acts['done']).toBeGreaterThan(0);
      // Of seven kinds; one may have been skipped each time, because its victim was down already.
      if (seconds >= 60) expect(Object.keys(figures.faults).length).toBeGreaterThanOrEqual(6);
    },
    seconds * 1_000 + AROUND_MS,
  );
}

/** How soon half of the usual throughput is back after a repair. */
const RETURN_MS_MAX = 2_000;

/** Two rows that all want, while coordinators, participants and the broker are killed. */
export function holdsOnHotRows({ seed, seconds, keep }: Held): void {
  const path = resolve(ROOT, '.concordat/chaos', `hot-${seed}-${process.pid}.ndjson`);
  const say = (line: string): boolean => process.stderr.write(`chaos: ${line}\n`);
  it(
    `every invariant holds, and throughput returns after each repair, for ${seconds} s on two hot rows from seed ${seed}`,
    async () => {
      const run = { seed, durationMs: seconds * 1_000, path, keep, log: say };
      const { figures, complaints, history } = await chaosRun({ ...run, work: 'hot' });
      const returns = returnsOf(history);
      for (const line of [...linesOf(figures), ...linesOfReturns(returns)]) say(line);
      expect(verdict(path, complaints)).toEqual([]);
      expect(figures.commits).toBeGreaterThan(seconds);
      expect(returns.returns.length).toBeGreaterThan(0);
      const late = returns.returns.filter(({ afterMs = Infinity }) => afterMs > RETURN_MS_MAX);
      expect(late).toEqual([]);
    },
    seconds * 1_000 + AROUND_MS,
  );
}

export function heldInHistory(file: string): void {
  it(
    'every invariant held in a history that was kept, and none would if it were spoilt',
    () => {
      const history = fromLines(readFileSync(file, 'utf8'));
      expect(verdict(file, check(history))).toEqual([]);
      expect(acceptedThough(history)).toEqual([]);
    },
    JUDGING_MS,
  );
}

/** What the checker does not notice when it is done to this history: nothing. */
function acceptedThough(history: readonly Event[]): string[] {
  return SPOILS.filter(({ spoil }) => check(spoil(history)).length === 0).map(({ what }) => what);
}

function verdict(
  file: string,
  complaints: readonly Complaint[],
  run?: { readonly seed: number; readonly seconds: number },
): string[] {
  if (complaints.length === 0) return [];
  const counts = new Map<string, number>();
  for (const { invariant } of complaints) counts.set(invariant, (counts.get(invariant) ?? 0) + 1);
  return [
    ...timelineOf(fromLines(readFileSync(file, 'utf8'))),
    [...counts].map(([name, count]) => `${name}: ${count}`).join(', '),
    ...complaints.slice(0, COMPLAINTS_SHOWN).map((one) => `${one.invariant}: ${one.sentence}`),
    `history: ${file}`,
    ...(run ? [`the same plan: npm run chaos -- --seed ${run.seed} --seconds ${run.seconds}`] : []),
    `the same history: npm run chaos -- --check ${file}`,
  ];
}
