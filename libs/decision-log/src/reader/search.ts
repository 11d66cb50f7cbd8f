/**
 * A search through time: a list that combines conditions which seldom meet is looked for window by
 * window, each longer than the last while that is quick. Guards "lists stay fast": what takes too long is
 * not cut off by a time-out that answers nothing, but ends where it has come to, and can be gone on with.
 */
import type { Clock } from '@concordat/engine';
import { lowestTransactionIdAt, madeAtMs, type TransactionId } from '@concordat/protocol';
import type { TransactionFilter } from './list-filter.js';

const MINUTE_MS = 60_000;
const SMALLEST_MS = 1_000;
/** A search answers after so long with what it has found. */
export const SEARCH_MS = 500;
const GROWTH = 4;
/** A window that took longer is not followed by a longer one. */
const QUICK_MS = 60;

export interface Window {
  readonly above: string;
  readonly below: string;
}

export interface Searched {
  /** Nothing between here and where the search began was left out. Absent: all of it was searched. */
  readonly to?: TransactionId;
}

/**
 * Whether two conditions may each hold for very many and hardly ever together, so that no index leads
 * to where both hold. What waits, or is heuristic, is few by itself.
 */
export function mayHardlyMeet(filter: TransactionFilter): boolean {
  const { status, stuck, view = stuck ? 'stuck' : 'all', participant, label, principal } = filter;
  const isOfMany =
    view === 'recent-aborts' ||
    (view === 'all' && (status === undefined || status === 'committed' || status === 'aborted'));
  if (!isOfMany) return false;
  const ended = view === 'recent-aborts' || status !== undefined;
  const told = [participant, label, principal].filter((one) => one !== undefined);
  return told.length + (ended ? 1 : 0) >= 2;
}

export interface SearchOptions {
  readonly clock: Clock;
  readonly oldestFirst: boolean;
  readonly from: string;
  readonly until: string;
}

/** `too-long`: nothing was found out within the time that was given. */
export type Looked = 'enough' | 'more' | 'too-long';

/**
 * Looks through a range from one end, until `look` says that it has enough. `from` and `until` are the first
 * and the last made at all: what is beyond them is not worth a window of its own. How long a window takes
 * cannot be foreseen (its pages may be on disk), so each has a time limit, and one that took too long is
 * looked at again in pieces; the smallest piece has no limit.
 */
export async function search(
  { above, below }: Window,
  { clock, oldestFirst, from, until }: SearchOptions,
  look: (window: Window, limitMs: number | undefined) => Promise<Looked>,
): Promise<Searched> {
  const began = clock.now();
  const lowestMs = timeOf(above > from ? above : from, 0);
  const highestMs = Math.max(lowestMs, timeOf(below < until ? below : until, 0));
  let edgeMs = oldestFirst ? lowestMs : highestMs;
  let edge: string = oldestFirst ? above : below;
  let hasMoved = false;
  for (let span = MINUTE_MS; ;) {
    const nextMs = edgeMs + (oldestFirst ? span : -span);
    const isLast = oldestFirst ? nextMs >= highestMs : nextMs <= lowestMs;
    const next = isLast ? (oldestFirst ? below : above) : lowestTransactionIdAt(nextMs);
    const windowBegan = clock.now();
    const window = oldestFirst ? { above: edge, below: next } : { above: next, below: edge };
    const looked = await look(window, span > SMALLEST_MS ? SEARCH_MS : undefined);
    if (looked === 'enough' || (looked === 'more' && isLast)) return {};
    if (looked === 'more') [edge, edgeMs, hasMoved] = [next, nextMs, true];
    const now = clock.now();
    if (hasMoved && now - began >= SEARCH_MS) return { to: lowestTransactionIdAt(edgeMs) };
    if (looked === 'too-long') span = smaller(Math.min(span, highestMs - lowestMs), 4 * GROWTH);
    else if (now - windowBegan < QUICK_MS) span *= GROWTH;
    else if (now - windowBegan > 2 * QUICK_MS) span = smaller(span, GROWTH);
  }
}

function smaller(span: number, times: number): number {
  return Math.max(SMALLEST_MS, Math.floor(span / times));
}

/** Bounds may be the beginning of an id, or sort before or after all ids. */
function timeOf(bound: string, otherwise: number): number {
  const time = /^[0-9a-hjkmnp-tv-z]{10}/.exec(bound)?.[0];
  if (time === undefined) return otherwise;
  return madeAtMs(`${time}${'0'.repeat(16)}-00000000` as TransactionId);
}
