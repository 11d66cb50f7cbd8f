/** The coordinator's resident memory, at rest and with live transactions, on servers of its own. */
import { openStage, type Stage } from './stage.js';

const BEGINNERS = 32;

async function residentMiB(stage: Stage): Promise<number> {
  const response = await fetch(`${stage.url}/metrics`, {
    headers: { authorization: `Bearer ${stage.operatorKey}` },
  });
  const match = /^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)/m.exec(await response.text());
  return Number(match?.[1]) / 1_048_576;
}

/** Prints a table. `live`: how many transactions are begun and stay open. */
export async function measureMemory(live: number): Promise<void> {
  const stage = await openStage();
  try {
    const atRest = await residentMiB(stage);
    let begun = 0;
    const begin = async (): Promise<void> => {
      while (begun < live) {
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
    await Promise.all(Array.from({ length: BEGINNERS }, begin));
    const full = await residentMiB(stage);
    const each = ((full - atRest) * 1_024) / live;
    console.log('| Coordinator | Resident memory |\n| --- | --- |');
    console.log(`| at rest | ${atRest.toFixed(0)} MiB |`);
    console.log(
      `| with ${live} live transactions | ${full.toFixed(0)} MiB (${each.toFixed(1)} KiB each) |`,
    );
  } finally {
    await stage.dispose();
  }
}
