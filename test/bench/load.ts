/** Closed-loop load: so many clients, each with one transaction under way, for a bounded time. */

export interface Load {
  readonly perSecond: number;
  readonly completed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly failed: number;
  /** Why the first one failed. */
  readonly failure?: string;
}

/** `transactions` ends it after so many that were begun, if that is sooner. */
export async function load(
  clients: number,
  durationMs: number,
  one: (client: number) => Promise<void>,
  transactions = Infinity,
): Promise<Load> {
  const times: number[] = [];
  let failed = 0;
  let begun = 0;
  let failure: string | undefined;
  const from = performance.now();
  const client = async (_: unknown, index: number): Promise<void> => {
    while (performance.now() - from < durationMs && begun < transactions) {
      begun += 1;
      const began = performance.now();
      try {
        await one(index);
        times.push(performance.now() - began);
      } catch (error) {
        failed += 1;
        failure ??= (error as Error).message;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - from) / 1_000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  const perSecond = times.length / seconds;
  const told = failure === undefined ? {} : { failure };
  const took = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: times.at(-1) ?? Number.NaN };
  return { perSecond, completed: times.length, ...took, failed, ...told };
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
