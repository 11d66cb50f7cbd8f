/**
 * The crew: worker processes, one a core, that share out a range of seeds in chunks. Seeds know
 * nothing of each other, so neither the number of workers nor the order changes what a seed does.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Narrowing } from './options.js';
import { addChunk, emptyRecord, type Chunk, type ChunkResult, type RunRecord } from './record.js';

export interface Order {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly narrowing: Narrowing;
  /** Goes on after a failing seed, to find them all. */
  readonly keepGoing: boolean;
  readonly progress: (record: RunRecord) => void;
}

const CHUNK = 250;
/** A run leaves little behind; a larger nursery collects it in fewer goes. */
const NODE_FLAGS = ['--max-semi-space-size=32'];

/** Runs the seeds of the order. Resolves with the record; `stop` ends it early. */
export function runCrew(order: Order, stop: AbortSignal): Promise<RunRecord> {
  const { from, seeds, jobs, narrowing } = order;
  const begun = performance.now();
  const record = emptyRecord(from, seeds, jobs);
  const end = from + seeds;
  let next = from;
  const out = new Map<ChildProcess, number>();

  return new Promise((resolve, reject) => {
    const workers: ChildProcess[] = [];
    const finish = (state: RunRecord['state']): void => {
      if (record.state !== 'running') return;
      record.state = state;
      for (const worker of workers) worker.disconnect();
      resolve(record);
    };
    const hand = (worker: ChildProcess): void => {
      if (next >= end) {
        out.delete(worker);
        if (out.size === 0) finish(record.failed.length > 0 ? 'failed' : 'finished');
        return;
      }
      const chunk: Chunk = { from: next, count: Math.min(CHUNK, end - next) };
      next += chunk.count;
      out.set(worker, chunk.from);
      worker.send(chunk);
    };
    const take = (worker: ChildProcess, result: ChunkResult): void => {
      if (record.state !== 'running') return;
      out.delete(worker);
      const seconds = (performance.now() - begun) / 1_000;
      addChunk(record, result, out.values(), next, seconds);
      order.progress(record);
      if (result.failed.length > 0 && !order.keepGoing) finish('failed');
      else hand(worker);
    };
    stop.addEventListener('abort', () => finish('interrupted'));
    for (let i = 0; i < Math.min(jobs, Math.ceil(seeds / CHUNK)); i++) {
      const file = fileURLToPath(new URL('./worker.js', import.meta.url));
      const worker = fork(file, [JSON.stringify(narrowing)], { execArgv: NODE_FLAGS });
      worker.on('message', (result) => take(worker, result as ChunkResult));
      worker.on('exit', (code) => {
        if (record.state === 'running') reject(new Error(`a worker ended with code ${code}`));
      });
      workers.push(worker);
      hand(worker);
    }
  });
}
