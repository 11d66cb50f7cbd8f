/**
 * When throughput returned after each repair. Guards "a repair is not the end of an outage": clients
 * must get through again, and soon.
 */
import type { Event } from '../checker/history.js';

export interface Return {
  readonly fault: string;
  readonly target: string;
  /** From the repair until a whole second begins that has half of what was usual; undefined: never. */
  readonly afterMs: number | undefined;
}

export interface Returns {
  /** Commits that clients were answered in a second, in the median, before the first fault. */
  readonly usual: number;
  readonly returns: readonly Return[];
}

const SECOND_MS = 1_000;
const SHARE = 0.5;

export function returnsOf(history: readonly Event[]): Returns {
  const transfers = new Set(
    history.flatMap((one) => (one.type === 'invoke' && one.op === 'transfer' ? [one.attempt] : [])),
  );
  const told = history
    .flatMap((one) => (one.type === 'ok' && transfers.has(one.attempt) ? [one.t] : []))
    .sort((a, b) => a - b);
  const began = history.find((one) => one.type === 'phase' && one.phase === 'chaos')?.t ?? 0;
  const healed = history.find((one) => one.type === 'phase' && one.phase === 'healed')?.t;
  const faults = history.flatMap((one) => (one.type === 'fault' ? [one] : []));
  const first = faults[0]?.t ?? healed ?? began;
  const usual = median(secondsOf(began, first).map((from) => inSecond(told, from)));
  const returns = faults
    .filter(({ phase, t }) => phase === 'recovered' && t < (healed ?? Number.POSITIVE_INFINITY))
    .map(({ fault, target, t: repaired }): Return => {
      const starts = [repaired, ...told.filter((t) => t > repaired)];
      const back = starts.find((t) => inSecond(told, t) >= usual * SHARE);
      return {
        fault,
        target,
        afterMs: back === undefined ? undefined : Math.round(back - repaired),
      };
    });
  return { usual, returns };
}

function secondsOf(from: number, to: number): number[] {
  const whole = Math.max(0, Math.floor((to - from) / SECOND_MS));
  return Array.from({ length: whole }, (_, at) => from + at * SECOND_MS);
}

function inSecond(told: readonly number[], from: number): number {
  return told.filter((t) => t >= from && t < from + SECOND_MS).length;
}

function median(all: readonly number[]): number {
  const sorted = [...all].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** As people read them. */
export function linesOfReturns({ usual, returns }: Returns): string[] {
  const after = returns.map(({ afterMs }) => afterMs ?? Number.POSITIVE_INFINITY);
  const worst = Math.max(0, ...after);
  return [
    `usual: ${usual} transfers a second; after ${returns.length} repairs half of that came back within ${median(after)} ms in the median, ${worst} ms at worst`,
    ...returns.map(({ fault, target, afterMs }) => `${fault} ${target}: ${afterMs ?? 'never'} ms`),
  ];
}
