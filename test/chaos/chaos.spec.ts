/**
 * Chaos: the whole product under a bank's work while a nemesis kills, pauses and disconnects, and the
 * offline checker's verdict on what was seen. `npm run chaos` runs it for longer; see README.md.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { check, type Complaint } from './checker/check.js';
import { fromLines } from './checker/history.js';
import { chaosRun } from './run/chaos-run.js';
import { linesOf, timelineOf } from './run/figures.js';
import { planOf, SERVICES } from './run/plan.js';

const ROOT = resolve(import.meta.dirname, '../..');
/** Starting, healing, looking and ending, at most, beside the chaos itself. */
const AROUND_MS = 180_000;
const COMPLAINTS_SHOWN = 25;

const { CHAOS_SECONDS, CHAOS_SEED, CHAOS_KEEP, CHAOS_CHECK } = process.env;
const seconds = Number(CHAOS_SECONDS ?? 60);
const seed = Number(CHAOS_SEED ?? 1);
const path = resolve(ROOT, '.concordat/chaos', `seed-${seed}-${process.pid}.ndjson`);

function verdict(file: string, complaints: readonly Complaint[]): string[] {
  if (complaints.length === 0) return [];
  const counts = new Map<string, number>();
  for (const { invariant } of complaints) counts.set(invariant, (counts.get(invariant) ?? 0) + 1);
  return [
    ...timelineOf(fromLines(readFileSync(file, 'utf8'))),
    [...counts].map(([name, count]) => `${name}: ${count}`).join(', '),
    ...complaints.slice(0, COMPLAINTS_SHOWN).map((one) => `${one.invariant}: ${one.sentence}`),
    `history: ${file}`,
    `replay the same plan: npm run chaos -- --seed ${seed} --seconds ${seconds}`,
    `judge the same history: npm run chaos -- --check ${file}`,
  ];
}

describe('The nemesis', () => {
  it('plans the same for the same seed', () => {
    expect(planOf(7, 60_000)).toEqual(planOf(7, 60_000));
    expect(planOf(8, 60_000).faults).not.toEqual(planOf(7, 60_000).faults);
  });

  it('plans every kind of fault and every process, for any seed', () => {
    for (let any = 1; any <= 200; any++) {
      const { faults } = planOf(any, 60_000);
      const kinds = new Set(faults.map(({ fault }) => fault.kind));
      expect(kinds.size).toBe(7);
      for (const service of SERVICES) {
        const met = faults.filter(({ fault }) => fault.target === service);
        expect(met.map(({ fault }) => fault.kind)).toEqual(
          expect.arrayContaining(['kill', 'pause']),
        );
      }
    }
  });
});

describe('Under chaos', () => {
  if (CHAOS_CHECK === undefined) run();
  else judge(CHAOS_CHECK);
});

function run(): void {
  it(
    `every invariant holds for ${seconds} s of faults from seed ${seed}`,
    async () => {
      const keep = CHAOS_KEEP !== undefined;
      const report = await chaosRun({
        seed,
        durationMs: seconds * 1_000,
        path,
        keep,
        log: (line) => process.stderr.write(`chaos: ${line}\n`),
      });
      const { figures, complaints } = report;
      for (const line of linesOf(figures)) process.stderr.write(`chaos: ${line}\n`);
      if (existsSync(path)) process.stderr.write(`chaos: history ${path}\n`);
      expect(verdict(path, complaints)).toEqual([]);
      // A run in which nothing happened would be as green.
      expect(figures.commits).toBeGreaterThan(seconds);
      expect(figures.tombstones).toBeGreaterThan(0);
      // Of seven kinds; one may have been skipped each time, because its victim was down already.
      if (seconds >= 60) expect(Object.keys(figures.faults).length).toBeGreaterThanOrEqual(6);
    },
    seconds * 1_000 + AROUND_MS,
  );
}

function judge(file: string): void {
  it('every invariant held in a history that was kept', () => {
    const complaints = check(fromLines(readFileSync(file, 'utf8')));
    expect(verdict(file, complaints)).toEqual([]);
  });
}
