/**
 * The coordinator's memory, at rest and with live transactions, on servers of its own: what is resident, with the
 * garbage that V8 keeps room for, and what its heap holds after a collection, which is what transactions cost.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitFor } from '@concordat/testing';
import { ROOT } from './root.js';
import { openStage, type Stage } from './stage.js';

const BEGINNERS = 32;
const WARM = 500;

const MiB = (value: number): string => `${value.toFixed(1)} MiB`;

async function residentMiB(stage: Stage): Promise<number> {
  const response = await fetch(`${stage.url}/metrics`, {
    headers: { authorization: `Bearer ${stage.operatorKey}` },
  });
  const match = /^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)/m.exec(await response.text());
  return Number(match?.[1]) / 1_048_576;
}

/** What the coordinator's heap holds once it is collected: it was started with test/stage/heap.mjs. */
async function heldMiB({ coordinator }: Stage, file: string): Promise<number> {
  rmSync(file, { force: true });
  process.kill(coordinator.pid, 'SIGWINCH');
  await waitFor(() => existsSync(file), { what: 'what the heap holds', timeoutMs: 60_000 });
  return Number(readFileSync(file, 'utf8')) / 1_048_576;
}

/** Prints a table. `live`: how many transactions are begun and stay open. */
export async function measureMemory(live: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-heap-'));
  const file = join(folder, 'heap');
  const hook = pathToFileURL(resolve(ROOT, 'test/stage/heap.mjs')).href;
  const stage = await openStage(ROOT, [], {
    NODE_OPTIONS: `--import=${hook}`,
    HEAP_TO: file,
    CONCORDAT_LIVE_MAX: String(2 * live),
    CONCORDAT_LIVE_MAX_PER_KEY: String(2 * live),
  });
  try {
    let wanted = 0;
    let begun = 0;
    const begin = async (): Promise<void> => {
      while (begun < wanted) {
        begun += 1;
        const response = await fetch(`${stage.url}/v1/transactions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ label: 'memory', timeoutMs: 900_000 }),
        });
        if (response.status !== 201) throw new Error(`begin answered ${response.status}`);
        await response.text();
      }
    };
    const beginUpTo = async (count: number): Promise<void> => {
      wanted = count;
      await Promise.all(Array.from({ length: BEGINNERS }, begin));
    };
    const atRest = await residentMiB(stage);
    console.log('| Coordinator | Resident memory | Held by its heap |\n| --- | --- | --- |');
    console.log(`| at rest | ${atRest.toFixed(0)} MiB | ${MiB(await heldMiB(stage, file))} |`);
    // Connections are open and code is compiled from here on: neither is what a transaction costs.
    await beginUpTo(WARM);
    const warm = await heldMiB(stage, file);
    console.log(`| warm, ${WARM} live | ${MiB(await residentMiB(stage))} | ${MiB(warm)} |`);
    await beginUpTo(WARM + live);
    const full = await residentMiB(stage);
    const held = await heldMiB(stage, file);
    const each = ((held - warm) * 1_024) / live;
    console.log(
      `| with ${live} more | ${MiB(full)} | ${MiB(held)} (${each.toFixed(2)} KiB for each) |`,
    );
  } finally {
    await stage.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}
