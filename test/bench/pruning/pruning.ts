/**
 * Whether pruning keeps up with the load that it follows: transfers at full rate while decisions, stories and
 * outcome rows are kept for minutes. Looks at every database twice a minute.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Arena } from '../compare/arena.js';
import { machine, type Machine } from '../compare/machine.js';
import { between } from '../compare/written.js';
import { targetOf } from '../compare/ways.js';
import { ROOT } from '../root.js';
import { LoadProcess, type Turn } from '../turns.js';
import { Sampler } from './sampler.js';
import { tablesOf, told, verdictOf, type Moment } from './verdict.js';

export interface PruningOptions {
  readonly minutes: number;
  readonly retentionMinutes: number;
  readonly clients: number;
  readonly turnMs: number;
  readonly json: string;
  readonly write: boolean;
  /** The checkout whose built services run; this one by default. */
  readonly root?: string;
}

/** The low-water mark stays so far behind: nothing is deleted sooner, whatever retention says. */
const HORIZON_MINUTES = 10;
/** Each prunes once a minute, and may be in the middle of it. */
const GRACE_MS = 150_000;
/** After the first deletions, until vacuum has given their space back for use. */
const SETTLING_MINUTES = 3;

export interface PruningReport {
  readonly machine: Machine;
  readonly retentionMinutes: number;
  readonly clients: number;
  readonly moments: readonly Moment[];
}

const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

/** Prints tables and what they show. */
export async function measurePruning(options: PruningOptions): Promise<PruningReport> {
  const { retentionMinutes, clients, json, write } = options;
  const about = machine();
  const load = LoadProcess.start(
    'lean client',
    resolve(ROOT, 'test/bench/dist/compare/lean-client.js'),
  );
  const retention = { CONCORDAT_RETENTION_MS: `${retentionMinutes * 60_000}` };
  const arena = await Arena.open('concordat', {
    participants: 2,
    through: ['typeorm'],
    coordinators: 1,
    counting: false,
    envOf: (): Record<string, string> => retention,
    ...(options.root === undefined ? {} : { root: options.root }),
  });
  try {
    const moments = await play(arena, load, options);
    const report = { machine: about, retentionMinutes, clients, moments };
    mkdirSync(dirname(resolve(json)), { recursive: true });
    writeFileSync(json, `${JSON.stringify(report)}\n`);
    say(`every sample is in ${json}`);
    console.log(textOf(report));
    if (write) writePruning(report);
    return report;
  } finally {
    await arena.dispose();
    await load.stop();
  }
}

async function play(
  arena: Arena,
  load: LoadProcess,
  { minutes, retentionMinutes, clients, turnMs }: PruningOptions,
): Promise<Moment[]> {
  const samplers = await openSamplers(arena, retentionMinutes);
  const target = targetOf('completed', arena);
  const turn: Turn = {
    ...{ target, shape: 'write', through: 'typeorm', participants: 2 },
    ...{ clients, durationMs: turnMs },
  };
  const moments: Moment[] = [];
  const from = performance.now();
  const minute = () => (performance.now() - from) / 60_000;
  try {
    while (minute() < minutes) {
      const { perSecond, p50Ms, p99Ms, maxMs, failed, failure } = await load.turn(turn);
      if (failure !== undefined) say(`failed: ${failure}`);
      const looks = await Promise.all(
        [...samplers].map(async ([name, sampler]) => [name, await sampler.look()] as const),
      );
      const times = { minute: minute(), perSecond, p50Ms, p99Ms, maxMs, failed };
      const moment = { ...times, looks: Object.fromEntries(looks) };
      moments.push(moment);
      tell(moment, minutes);
    }
    return moments;
  } finally {
    for (const one of samplers.values()) await one.close();
  }
}

async function openSamplers(arena: Arena, retentionMinutes: number): Promise<Map<string, Sampler>> {
  const samplers = new Map<string, Sampler>();
  const registerMs = Math.max(retentionMinutes, HORIZON_MINUTES) * 60_000;
  const tables = ['concordat.decision', 'concordat.journal'];
  const kept = { tables, keptMs: registerMs, graceMs: GRACE_MS };
  samplers.set('register', await Sampler.open(arena.decisions, kept));
  // Past retention as the mark has it, which is behind by itself.
  const keptMs = (retentionMinutes + HORIZON_MINUTES) * 60_000;
  for (const [name, url] of Object.entries(arena.databases)) {
    const outcomes = { tables: ['public.concordat_branch'], keptMs, graceMs: GRACE_MS };
    samplers.set(name, await Sampler.open(url, outcomes));
  }
  return samplers;
}

function tell({ minute, perSecond, p99Ms, maxMs, looks }: Moment, minutes: number): void {
  const parts = Object.entries(looks).map(([name, look]) => {
    const bytes = look.relations.reduce((all, one) => all + one.bytes, 0);
    return `${name} ${(bytes / 1_048_576).toFixed(0)} MB, ${look.deadRows} dead, ${look.due} due, ${look.overdue} overdue`;
  });
  say(
    `${minute.toFixed(1)} of ${minutes} minutes: ${perSecond.toFixed(0)}/s, p99 ${p99Ms.toFixed(0)}, ` +
      `max ${maxMs.toFixed(0)} ms; ${parts.join('; ')}`,
  );
}

function textOf({ machine: on, retentionMinutes, clients, moments }: PruningReport): string {
  const dueMinute = Math.max(retentionMinutes, HORIZON_MINUTES);
  const settledMinute = retentionMinutes + HORIZON_MINUTES + SETTLING_MINUTES;
  const verdict = verdictOf(moments, { dueMinute, settledMinute });
  return [
    `${on.date}, ${on.cores} cores of ${on.processor}, load ${on.loadBefore} before, Node ${on.node}, revision ${on.revision}: ` +
      `${clients} clients for ${moments.at(-1)?.minute.toFixed(0)} minutes, a retention of ${retentionMinutes}; the register keeps at ` +
      `least ${HORIZON_MINUTES} minutes, participants ${HORIZON_MINUTES} more than theirs.`,
    tablesOf(moments, settledMinute),
    ...told(verdict),
  ].join('\n\n');
}

/** Puts what a run showed into docs/performance.md. */
export function writePruning(report: PruningReport): void {
  const file = resolve(ROOT, 'docs/performance.md');
  writeFileSync(file, between(readFileSync(file, 'utf8'), 'pruning', textOf(report)));
  say(`${file} has the tables`);
}
