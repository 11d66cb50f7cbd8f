/**
 * The record of a run of many seeds: how far it came without a gap, how long it took, what it met.
 * Written while the run goes on, so that an interrupted one says honestly what it has shown and can
 * be resumed with `--from` at `resumeFrom`.
 */
import { renameSync, writeFileSync } from 'node:fs';
import type { Tally } from './history.js';
import type { WorldOptions } from './options.js';

export interface FailedSeed {
  readonly seed: number;
  readonly complaints: readonly string[];
}

/** Consecutive seeds, given to one worker. */
export interface Chunk {
  readonly from: number;
  readonly count: number;
}

/** What a worker returns for a handful of consecutive seeds. */
export interface ChunkResult extends Chunk {
  readonly failed: readonly FailedSeed[];
  readonly tally: Tally;
  readonly drawn: Tally;
  readonly simulatedMs: number;
  readonly cpuMs: number;
}

export interface RunRecord {
  readonly from: number;
  readonly asked: number;
  readonly jobs: number;
  readonly startedAt: string;
  writtenAt: string;
  state: 'running' | 'finished' | 'failed' | 'interrupted';
  /** Seeds run, in any order. */
  run: number;
  /** Every seed from `from` up to, not including, this one was run. */
  resumeFrom: number;
  seconds: number;
  cpuSeconds: number;
  seedsPerSecond: number;
  seedsPerCpuSecond: number;
  simulatedHours: number;
  failed: FailedSeed[];
  /** In how many seeds each option was switched on. */
  drawn: Tally;
  /** How often each thing happened. */
  happened: Tally;
}

export function emptyRecord(from: number, asked: number, jobs: number): RunRecord {
  const now = new Date().toISOString();
  return {
    ...{ from, asked, jobs, startedAt: now, writtenAt: now, state: 'running', run: 0 },
    ...{ resumeFrom: from, seconds: 0, cpuSeconds: 0, seedsPerSecond: 0, seedsPerCpuSecond: 0 },
    ...{ simulatedHours: 0, failed: [], drawn: {}, happened: {} },
  };
}

/** Adds what a chunk showed. Chunks may come back out of order; `open` are those still out. */
export function addChunk(
  record: RunRecord,
  chunk: ChunkResult,
  open: Iterable<number>,
  next: number,
  seconds: number,
): void {
  record.run += chunk.count;
  record.resumeFrom = Math.min(next, ...open);
  record.failed.push(...chunk.failed);
  record.cpuSeconds += chunk.cpuMs / 1_000;
  record.simulatedHours += chunk.simulatedMs / 3_600_000;
  record.seconds = seconds;
  record.seedsPerSecond = Math.round(record.run / seconds);
  record.seedsPerCpuSecond = Math.round(record.run / record.cpuSeconds);
  add(record.drawn, chunk.drawn);
  add(record.happened, chunk.tally);
}

export function add(sum: Tally, more: Tally): void {
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
}

/** Options that a run had switched on, each counted once. */
export function drawnIn(options: WorldOptions): Tally {
  const on = Object.entries(options).filter(([, value]) => value !== 0 && value !== false);
  const counted = ['coordinators', 'participants', 'replicas'];
  return Object.fromEntries(
    on.map(([name, value]) => [counted.includes(name) ? `${name}=${value}` : name, 1]),
  );
}

export function writeRecord(file: string, record: RunRecord): void {
  record.writtenAt = new Date().toISOString();
  // Written beside and renamed: a reader sees a whole one.
  writeFileSync(`${file}.part`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${file}.part`, file);
}

/** The record for a person, a few lines. */
export function summary(record: RunRecord): string {
  const rates = `${record.seedsPerSecond}/s, ${record.seedsPerCpuSecond} per second of one core`;
  const list = (tally: Tally) =>
    Object.entries(tally)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `${record.run} seeds from ${record.from} in ${record.seconds.toFixed(0)} s (${rates}), ${record.state}`,
    `${record.simulatedHours.toFixed(1)} simulated hours; happened: ${list(record.happened)}`,
    `switched on in so many seeds: ${list(record.drawn)}`,
  ].join('\n');
}
