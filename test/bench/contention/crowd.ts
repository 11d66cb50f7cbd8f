/**
 * A crowd of clients, each with one transfer under way, and what became of their transfers. Guards "a rate
 * counts what was committed while the turn lasted": what is still under way when it ends is waited for and
 * counts for its time and its end, not for the rate.
 */
import type { Stage } from '../stage.js';
import type { Draw } from './shapes.js';

export const TIMEOUT_MS = 10_000;

export interface Outcome {
  readonly committedPerSecond: number;
  readonly committed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Transfers that were not committed, by code. */
  readonly aborted: Readonly<Record<string, number>>;
  /** Attempts per transfer, as the answers say; 1 where they do not. */
  readonly attempts: number;
}

interface Ended {
  readonly tookMs: number;
  readonly inTime: boolean;
  readonly code?: string;
  readonly attempts: number;
}

interface Answer {
  readonly code?: string;
  readonly cause?: { readonly kind?: string; readonly code?: string };
  readonly attempts?: number;
}

export interface Crowd {
  readonly stage: Stage;
  readonly draw: Draw;
  readonly clients: number;
  /** The number of its first client: two crowds at once have rows of their own. */
  readonly first?: number;
  readonly durationMs: number;
}

/** Lets the clients transfer for so long; resolves when the last transfer has its answer. */
export async function transfers(crowd: Crowd): Promise<Outcome> {
  const { clients, first = 0, durationMs } = crowd;
  const ended: Ended[] = [];
  const until = performance.now() + durationMs;
  const client = async (_: unknown, index: number): Promise<void> => {
    while (performance.now() < until) ended.push(await transfer(crowd, first + index, until));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return summary(ended, durationMs);
}

async function transfer({ stage, draw }: Crowd, client: number, until: number): Promise<Ended> {
  const { from, to } = draw(client);
  const began = performance.now();
  const response = await fetch(`${stage.url}/v1/transactions?until=completed`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      commit: true,
      timeoutMs: TIMEOUT_MS,
      branches: [
        branch(from.ledger, 'debit', from.account),
        branch(to.ledger, 'credit', to.account),
      ],
    }),
  });
  const answer = (await response.json()) as Answer;
  const now = performance.now();
  return {
    tookMs: now - began,
    inTime: now <= until,
    attempts: answer.attempts ?? 1,
    ...(response.status === 200 ? {} : { code: codeOf(response.status, answer) }),
  };
}

function branch(participant: string, name: string, account: string) {
  return { participant, operations: [{ name, input: { account, amount: 1 } }] };
}

function codeOf(status: number, { code, cause }: Answer): string {
  return cause?.code ?? cause?.kind ?? code ?? String(status);
}

function summary(ended: readonly Ended[], durationMs: number): Outcome {
  const committed = ended.filter((one) => one.code === undefined);
  const times = ended.map((one) => one.tookMs).sort((a, b) => a - b);
  const aborted: Record<string, number> = {};
  for (const { code } of ended) if (code !== undefined) aborted[code] = (aborted[code] ?? 0) + 1;
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  const attempts = ended.reduce((sum, one) => sum + one.attempts, 0);
  return {
    committedPerSecond: committed.filter((one) => one.inTime).length / (durationMs / 1_000),
    committed: committed.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    aborted,
    attempts: attempts / Math.max(1, ended.length),
  };
}
