/** A worker process: runs the seeds it gets, a chunk at a time, until it is stopped. */
import { narrowed, type Narrowing } from './options.js';
import { add, drawnIn, type Chunk, type ChunkResult, type FailedSeed } from './record.js';
import { runSeed } from './run-seed.js';

// The stack of a simulated refusal is never read, and making one costs more than the refusal.
Error.stackTraceLimit = 0;

const narrowing = JSON.parse(process.argv[2] ?? '{}') as Narrowing;

async function runChunk({ from, count }: Chunk): Promise<ChunkResult> {
  const begun = process.cpuUsage();
  const failed: FailedSeed[] = [];
  const tally = {};
  const drawn = {};
  let simulatedMs = 0;
  for (let seed = from; seed < from + count; seed++) {
    const run = await runSeed(seed, { adjust: (options) => narrowed(options, narrowing) });
    simulatedMs += run.simulatedMs;
    add(tally, run.tally);
    add(drawn, drawnIn(run.options));
    if (run.complaints.length > 0) failed.push({ seed, complaints: run.complaints });
  }
  const { user, system } = process.cpuUsage(begun);
  return { from, count, failed, tally, drawn, simulatedMs, cpuMs: (user + system) / 1_000 };
}

process.on('message', (chunk: Chunk) => {
  runChunk(chunk).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(2);
    },
  );
});
process.on('disconnect', () => process.exit(0));
