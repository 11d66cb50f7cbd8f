/** Closed-loop load: so many clients, each with one transaction under way, for a bounded time. */

export interface Load {
  readonly perSecond: number;
  readonly completed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

export async function load(
  clients: number,
  durationMs: number,
  one: (client: number) => Promise<void>,
): Promise<Load> {
  const times: number[] = [];
  let failed = 0;
  const from = performance.now();
  const client = async (_: unknown, index: number): Promise<void> => {
    while (performance.now() - from < durationMs) {
      const began = performance.now();
      try {
        await one(index);
        times.push(performance.now() - began);
      } catch {
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - from) / 1_000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  const perSecond = times.length / seconds;
  return { perSecond, completed: times.length, p50Ms: at(0.5), p99Ms: at(0.99), failed };
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
