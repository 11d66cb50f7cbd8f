/**
 * Runs a case: arms what it names, drives its transaction into it, waits until every fault has happened, does
 * what the case says, repairs the rest, and holds what is left to the promises. A point that was never hit, a
 * frame that never passed and a reply that never existed fail their case: they have shown nothing.
 */
import { itNightly } from '../stage/nightly.js';
import { CaseRun, isLink, isPoint, type Case, type Fault } from './case.js';
import { holdToPromises, untilSettled } from './promises.js';
import { SHAPES } from './shapes.js';
import { CaseStage, type CaseStageOptions } from './stage.js';

/** From sending, or starting, to the point. */
const REACHED_MS = 20_000;
/** A busy machine may stall for longer once; what waits for a period is late each time. */
const ROUNDS = 3;

export interface Ran {
  /** Milliseconds from the answer, or its absence, until all was settled. */
  readonly healedMs: number;
  readonly firstMs?: number;
}

/** One run of a case. Throws where a promise is broken, or a fault did not happen. */
export async function runCase(
  stage: CaseStage,
  row: Case,
  { reachedMs = REACHED_MS } = {},
): Promise<Ran> {
  const shape = SHAPES[row.sends];
  const isReady = shape.ready === undefined;
  await shape.ready?.(stage);
  const run = new CaseRun(stage, row, await (isReady ? stage.begun() : stage.begin()));
  try {
    for (const fault of row.faults) if (isLink(fault)) run.lay(fault);
    for (const { act } of row.first ?? []) await act(run);
    const { answer } = await shape.lead(run);
    run.answer = answer;
    for (const fault of row.faults) await untilHappened(run, fault, reachedMs);
    for (const { act } of row.then ?? []) await act(run);
    await run.answered();
    expect(stage.mend()).toEqual([]);
    await untilSettled(run);
    const healedMs = performance.now() - (run.answeredAt ?? Number.NaN);
    await holdToPromises(run);
    return run.firstMs === undefined ? { healedMs } : { healedMs, firstMs: run.firstMs };
  } finally {
    for (const { act } of row.last ?? []) await act(run);
  }
}

async function untilHappened(run: CaseRun, fault: Fault, reachedMs: number): Promise<void> {
  if (isLink(fault)) {
    const { hits = fault.does === 'watch' ? 0 : 1 } = fault;
    if (hits > 0) await run.rule(fault.what).waitForHit(hits);
  }
  if (!isPoint(fault)) return;
  const { product } = run;
  const service = product.service(fault.at);
  await product.untilReached(fault.at, fault.point.split('@')[0] ?? '', reachedMs);
  if (fault.does === 'drop') await product.untilDropped(fault.at, reachedMs);
  if (fault.does === 'kill') await service.exited;
}

/** A suite on one stage: the stage as it is started, and its tests. */
export function onStage(
  title: string,
  start: CaseStageOptions | (() => Promise<CaseStage>),
  tests: (stage: () => CaseStage) => void,
): void {
  describe(title, () => {
    let started: CaseStage | undefined;
    const stage = (): CaseStage => {
      if (!started) throw new Error('the stage is not there outside of tests');
      return started;
    };

    beforeAll(async () => {
      started = typeof start === 'function' ? await start() : await CaseStage.start(start);
    });

    beforeEach(() => stage().begin());

    afterEach(() => stage().heal());

    afterAll(() => started?.dispose());

    tests(stage);
  });
}

/** A test for each case of a table. */
export function itHolds(stage: () => CaseStage, table: readonly Case[]): void {
  for (const row of table) {
    const possible = !row.isLeftOut ? it : it.skip;
    const test = row.isNightly && !row.isLeftOut ? itNightly : possible;
    test(row.name, () => runInTime(stage(), row));
  }
}

/** Runs it; where it is to be quick, up to three times. */
async function runInTime(stage: CaseStage, row: Case): Promise<void> {
  const { firstWithinMs } = row;
  const tookMs: number[] = [];
  do {
    const { firstMs } = await runCase(stage, row);
    tookMs.push(firstMs ?? Number.NaN);
  } while (
    firstWithinMs !== undefined &&
    tookMs.length < ROUNDS &&
    !(Math.min(...tookMs) < firstWithinMs)
  );
  if (firstWithinMs !== undefined) expect(Math.min(...tookMs)).toBeLessThan(firstWithinMs);
}
