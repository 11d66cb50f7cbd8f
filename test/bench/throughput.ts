/**
 * Transactions per second at 1 and 32 clients beside a hand-written two-phase commit in the same run,
 * and the coordinator's memory at rest and with live transactions. The three ways take turns, so that a
 * machine that changes its mind does so for all of them; medians are printed.
 */
import { HandWritten } from './hand-written.js';
import { load, median, type Load } from './load.js';
import { accountOf, openStage, type Stage } from './stage.js';

export type Transfer = (client: number) => Promise<void>;

export interface Turns {
  readonly rounds: number;
  readonly durationMs: number;
}

export function transferThrough(stage: Stage, until: 'decided' | 'completed'): Transfer {
  return async (client) => {
    const account = accountOf(client);
    const branch = (participant: string, name: string) => ({
      participant,
      operations: [{ name, input: { account, amount: 100 } }],
    });
    const response = await fetch(`${stage.url}/v1/transactions?until=${until}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        commit: true,
        branches: [branch('ledger-east', 'debit'), branch('ledger-west', 'credit')],
      }),
    });
    await response.text();
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
  };
}

async function throughput(
  stage: Stage,
  clients: number,
  { rounds, durationMs }: Turns,
): Promise<void> {
  const hand = await HandWritten.open(stage, clients);
  const ways: [string, Transfer][] = [
    ['by hand over pg, completed', (client) => hand.transfer(client)],
    ['Concordat, completed', transferThrough(stage, 'completed')],
    ['Concordat, decided', transferThrough(stage, 'decided')],
  ];
  const results = new Map<string, Load[]>();
  for (const [, one] of ways) await load(clients, Math.min(durationMs, 2_000), one); // Warm.
  for (let round = 1; round <= rounds; round++) {
    for (const [name, one] of ways) {
      process.stderr.write(`  ${clients} clients, round ${round} of ${rounds}: ${name}\n`);
      results.set(name, [...(results.get(name) ?? []), await load(clients, durationMs, one)]);
    }
  }
  await hand.close();
  const floor = median((results.get(ways[0]?.[0] ?? '') ?? []).map((one) => one.perSecond));
  for (const [name, all] of results) {
    const of = (pick: (one: Load) => number) => median(all.map(pick));
    const perSecond = of((one) => one.perSecond);
    console.log(
      `| ${clients} | ${name} | ${perSecond.toFixed(0)} | ${((perSecond / floor) * 100).toFixed(0)} % | ` +
        `${of((one) => one.p50Ms).toFixed(1)} | ${of((one) => one.p99Ms).toFixed(1)} | ${of((one) => one.failed).toFixed(0)} |`,
    );
  }
}

async function residentMiB(stage: Stage): Promise<number> {
  const response = await fetch(`${stage.url}/metrics`, {
    headers: { authorization: `Bearer ${stage.operatorKey}` },
  });
  const match = /^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)/m.exec(await response.text());
  return Number(match?.[1]) / 1_048_576;
}

async function memory(stage: Stage, live: number): Promise<void> {
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
  await Promise.all(Array.from({ length: 32 }, begin));
  const full = await residentMiB(stage);
  console.log(`| at rest | ${atRest.toFixed(0)} MiB |`);
  console.log(
    `| with ${live} live transactions | ${full.toFixed(0)} MiB (${(((full - atRest) * 1_024) / live).toFixed(1)} KiB each) |`,
  );
}

export async function measureThroughput(turns: Turns): Promise<void> {
  const stage = await openStage();
  try {
    console.log('| Coordinator | Resident memory |\n| --- | --- |');
    await memory(stage, 10_000);
    console.log('\n| Clients | Way | tx/s | of floor | p50 ms | p99 ms | failed |');
    console.log('| --- | --- | --- | --- | --- | --- | --- |');
    for (const clients of [1, 32]) await throughput(stage, clients, turns);
  } finally {
    await stage.dispose();
  }
}
