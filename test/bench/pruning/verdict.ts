/** What a run under a retention of minutes shows: whether sizes stay flat, whether pruning keeps up, and whether it is felt. */
import { median } from '../load.js';
import type { Look, Relation } from './sampler.js';

/** What was seen at the end of one turn of the load. */
export interface Moment {
  /** Minutes since the load began. */
  readonly minute: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly failed: number;
  /** By database: the register and each participant. */
  readonly looks: Readonly<Record<string, Look>>;
}

export interface Verdict {
  /** True where nothing was seen after the first retention: the run was too short to tell. */
  readonly isTooShort: boolean;
  /** Largest size of the last third of what followed the first retention, to that of its first third. */
  readonly growth: number;
  /** The same of the table or index that grew most, among those of a mebibyte and more. */
  readonly worst: { readonly name: string; readonly growth: number } | undefined;
  /** Most rows that should have been deleted before. */
  readonly overdueMax: number;
  /** Medians after the first retention to those before anything was due. */
  readonly rateRatio: number;
  readonly p99Ratio: number;
  readonly maxMsBefore: number;
  readonly maxMsAfter: number;
  readonly failed: number;
}

const MEBIBYTE = 1_048_576;

/** `settledMinute`: when as much is deleted as is written, and what was deleted first is put to use again. */
export function verdictOf(
  moments: readonly Moment[],
  { dueMinute, settledMinute }: { dueMinute: number; settledMinute: number },
): Verdict {
  const before = moments.filter((one) => one.minute <= dueMinute);
  const settled = moments.filter((one) => one.minute > settledMinute);
  const third = Math.max(1, Math.floor(settled.length / 3));
  const grown = (size: (one: Moment) => number) => {
    const most = (some: readonly Moment[]) => Math.max(...some.map(size));
    return most(settled.slice(-third)) / most(settled.slice(0, third));
  };
  const of = (some: readonly Moment[], pick: (one: Moment) => number) => median(some.map(pick));
  const ratio = (pick: (one: Moment) => number) => of(settled, pick) / of(before, pick);
  const maxMs = (some: readonly Moment[]) => Math.max(...some.map((one) => one.maxMs));
  const names = [...new Set(moments.flatMap((one) => [...sizes(one).keys()]))];
  const worst = names
    .filter((name) => settled.some((one) => (sizes(one).get(name) ?? 0) >= MEBIBYTE))
    .map((name) => ({ name, growth: grown((one) => sizes(one).get(name) ?? 0) }))
    .sort((a, b) => b.growth - a.growth)[0];
  return {
    isTooShort: settled.length < 3,
    growth: grown(bytesOf),
    worst,
    overdueMax: Math.max(...moments.map((one) => sum(one, (look) => look.overdue))),
    rateRatio: ratio((one) => one.perSecond),
    p99Ratio: ratio((one) => one.p99Ms),
    maxMsBefore: maxMs(before),
    maxMsAfter: maxMs(settled),
    failed: moments.reduce((all, one) => all + one.failed, 0),
  };
}

/** What is said of it: each line ends in a yes or a no. */
export function told(verdict: Verdict): string[] {
  if (verdict.isTooShort)
    return ['The run ended before its first retention was over: it shows nothing of pruning.'];
  const { growth, worst, overdueMax, rateRatio, p99Ratio, maxMsBefore, maxMsAfter } = verdict;
  const yes = (is: boolean) => (is ? 'yes' : '**no**');
  return [
    `Sizes stay flat: ${yes(growth <= 1.1 && (worst?.growth ?? 1) <= 1.25)} (all ${growth.toFixed(2)} times from the first to ` +
      `the last third after the first retention${worst ? `; ${worst.name} most, ${worst.growth.toFixed(2)} times` : ''}).`,
    `Pruning keeps up: ${yes(overdueMax === 0)} (at most ${overdueMax} rows overdue).`,
    `No pause: ${yes(p99Ratio <= 1.25 && maxMsAfter <= Math.max(2 * maxMsBefore, 1_000))} (p99 ${p99Ratio.toFixed(2)} times ` +
      `what it was before anything was due, longest ${maxMsAfter.toFixed(0)} ms against ${maxMsBefore.toFixed(0)}; rate ${rateRatio.toFixed(2)} times).`,
  ];
}

const ROWS_MAX = 12;

/** At most twelve moments, and where each table and index was after the first retention and at the end. */
export function tablesOf(moments: readonly Moment[], settledMinute: number): string {
  const every = Math.ceil(moments.length / ROWS_MAX);
  const shown = moments.filter((_, at) => (at + 1) % every === 0);
  const names = Object.keys(moments[0]?.looks ?? {});
  const head = [
    'Minute',
    'tx/s',
    'p50 ms',
    'p99 ms',
    'max ms',
    ...names.map((name) => `${name}, MB`),
  ];
  const columns = [...head, 'dead rows', 'autovacuum runs', 'due', 'overdue', 'failed'];
  const lines = shown.map((one) => [
    one.minute.toFixed(1),
    one.perSecond.toFixed(0),
    one.p50Ms.toFixed(0),
    one.p99Ms.toFixed(0),
    one.maxMs.toFixed(0),
    ...names.map((name) => mebibytes(bytesOfLook(one.looks[name]))),
    sum(one, (look) => look.deadRows).toFixed(0),
    sum(one, (look) => look.autovacuums).toFixed(0),
    sum(one, (look) => look.due).toFixed(0),
    sum(one, (look) => look.overdue).toFixed(0),
    String(one.failed),
  ]);
  return `${table(columns, lines)}\n\n${relationTable(moments, settledMinute)}`;
}

function relationTable(moments: readonly Moment[], settledMinute: number): string {
  const last = moments.at(-1);
  const first = moments.find((one) => one.minute > settledMinute) ?? last;
  if (!first || !last) return '';
  const most = (name: string) => Math.max(...moments.map((one) => sizes(one).get(name) ?? 0));
  const lines = [...sizes(last)]
    .filter(([name]) => most(name) >= MEBIBYTE)
    .map(([name, bytes]) => [
      name,
      mebibytes(sizes(first).get(name) ?? 0),
      mebibytes(bytes),
      mebibytes(most(name)),
    ]);
  const minute = first.minute.toFixed(0);
  return table(['Table or index, MB', `minute ${minute}`, 'end', 'most'], lines);
}

function sizes(moment: Moment): Map<string, number> {
  return new Map(
    Object.entries(moment.looks).flatMap(([database, { relations }]) =>
      relations.map((one: Relation) => [`${database}: ${one.name}`, one.bytes] as const),
    ),
  );
}

function bytesOfLook(look: Look | undefined): number {
  return (look?.relations ?? []).reduce((all, one) => all + one.bytes, 0);
}

function bytesOf(moment: Moment): number {
  return Object.values(moment.looks).reduce((all, look) => all + bytesOfLook(look), 0);
}

function sum(moment: Moment, pick: (look: Look) => number): number {
  return Object.values(moment.looks).reduce((all, look) => all + pick(look), 0);
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
