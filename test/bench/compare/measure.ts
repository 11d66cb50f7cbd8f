/** Plays a case: every way in turn, another one first in each round, and what each turn used and came to. */
import { median } from '../load.js';
import { processorTimes, used } from '../processor-time.js';
import type { LoadProcess, Turn } from '../turns.js';
import { pinLoad, type Arenas, type Say } from './arenas.js';
import type { Arena } from './arena.js';
import { difference, type Counts } from './counters.js';
import type { Case, Plan } from './plan.js';
import { loadOf, REFERENCES, targetOf, WAYS } from './ways.js';
import type { Loads, Reference, WayName } from './ways.js';

/** One turn. Counts and processor time are per transaction that ended as it had to. */
export interface Sample extends Counts {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly completed: number;
  readonly failed: number;
  readonly failure?: string;
  /** Milliseconds by process. */
  readonly processorMs: Readonly<Record<string, number>>;
}

/** Medians over the rounds; ratios are the medians of what each round came to. */
export interface WayResult extends Counts {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all rounds. */
  readonly failed: number;
  readonly failure?: string;
  readonly processorMs: Readonly<Record<string, number>>;
  readonly of: Partial<Record<Reference, Ratios>>;
  readonly samples: readonly Sample[];
}

export interface Ratios {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface CaseResult {
  readonly case: Case;
  readonly ways: Partial<Record<WayName, WayResult>>;
}

/** Learns of each turn that was played, and is asked how long the run takes yet. */
export interface Watch {
  played(): void;
  left(): string;
}

export async function measureCase(
  one: Case,
  plan: Plan,
  arenas: Arenas,
  loads: Loads,
  watch: Watch,
  say: Say,
): Promise<CaseResult> {
  const samples = new Map<WayName, Sample[]>(one.ways.map((way) => [way, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    const at = round % one.ways.length;
    const order = [...one.ways.slice(at), ...one.ways.slice(0, at)];
    say(`${describe(one)}: round ${round} of ${plan.rounds}, ${watch.left()}`);
    for (const way of order) {
      samples.get(way)?.push(await sample(one, way, plan, arenas, loads));
      watch.played();
    }
  }
  const ways = one.ways.map((way) => [way, resultOf(way, samples)] as const);
  return { case: one, ways: Object.fromEntries(ways) };
}

/** Each way for a while, before anything of a stage counts: code is compiled, plans are made, pools are open. */
export async function warm(
  cases: readonly Case[],
  { warmMs: durationMs }: Plan,
  arenas: Arenas,
  loads: Loads,
): Promise<void> {
  const done = new Set<WayName>();
  for (const one of cases) {
    for (const way of one.ways) {
      if (done.has(way)) continue;
      done.add(way);
      const { arena, change } = WAYS[way];
      const turn = { ...one, ...change, target: targetOf(way, arenas.get(arena)), durationMs };
      await loadOf(way, loads).turn(turn);
    }
  }
}

export function describe({ shape, through, participants, clients }: Case): string {
  return `${shape} through ${through}, ${participants} participants, ${clients} clients`;
}

async function sample(
  one: Case,
  way: WayName,
  { leadMs, durationMs }: Plan,
  arenas: Arenas,
  loads: Loads,
): Promise<Sample> {
  const name = WAYS[way].arena;
  const arena = arenas.get(name);
  const process = loadOf(way, loads);
  if (one.ways.includes('own-core')) pinLoad(process, name);
  const turn: Omit<Turn, 'durationMs'> = {
    ...one,
    ...WAYS[way].change,
    target: targetOf(way, arena),
  };
  // Connections that closed while others had their turns open again, and caches are warm.
  await process.turn({ ...turn, durationMs: leadMs });
  const before = await snapshot(arena, process);
  const load = await process.turn({ ...turn, durationMs });
  const after = await snapshot(arena, process);
  const each = (value: number) => value / load.completed;
  const counts = difference(after.counts, before.counts);
  const spent = [...after.times].map(
    ([of, ms]) => [of, each(ms - (before.times.get(of) ?? Number.NaN))] as const,
  );
  return {
    ...load,
    flushes: each(counts.flushes),
    walBytes: each(counts.walBytes),
    messages: each(counts.messages),
    messageBytes: each(counts.messageBytes),
    processorMs: Object.fromEntries(spent),
  };
}

async function snapshot(arena: Arena, load: LoadProcess) {
  const counts = await arena.counters.read();
  const times = processorTimes(arena).set(load.name, used(load.pid));
  return { counts, times };
}

function resultOf(way: WayName, all: ReadonlyMap<WayName, readonly Sample[]>): WayResult {
  const samples = all.get(way) ?? [];
  const of = (pick: (one: Sample) => number) => median(samples.map(pick));
  const processes = Object.keys(samples[0]?.processorMs ?? {});
  const spent = processes.map((name) => [name, of((one) => one.processorMs[name] ?? 0)] as const);
  const failure = samples.find((one) => one.failure !== undefined)?.failure;
  const against = REFERENCES.filter((one) => one !== way && all.has(one)).map((reference) => {
    const theirs = all.get(reference) ?? [];
    const ratio = (pick: (one: Sample) => number) =>
      median(samples.map((one, at) => pick(one) / pick(theirs[at] ?? one)));
    const ratios = {
      perSecond: ratio((one) => one.perSecond),
      p50Ms: ratio((one) => one.p50Ms),
      p99Ms: ratio((one) => one.p99Ms),
    };
    return [reference, ratios] as const;
  });
  return {
    perSecond: of((one) => one.perSecond),
    p50Ms: of((one) => one.p50Ms),
    p99Ms: of((one) => one.p99Ms),
    failed: samples.reduce((sum, one) => sum + one.failed, 0),
    ...(failure === undefined ? {} : { failure }),
    flushes: of((one) => one.flushes),
    walBytes: of((one) => one.walBytes),
    messages: of((one) => one.messages),
    messageBytes: of((one) => one.messageBytes),
    processorMs: Object.fromEntries(spent),
    of: Object.fromEntries(against),
    samples,
  };
}
