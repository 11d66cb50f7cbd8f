/** Waits for locks in words. */
import type { WaitHolder } from '@concordat/engine';
import { counted, durationText, listed, quoted, sessionWords, thingWords } from '@concordat/words';
import type { Blocks, PictureWait } from './wait-picture.js';

/** Holders that a sentence names. */
const NAMED = 2;

/** `waits for row (0,7) of `account` at `ledger-west`, held by transaction `01k…` (12 s so far)`. */
export function waitWords(wait: PictureWait, nowMs: number): string {
  const { on, participant, holders, sinceMs, withoutSession } = wait;
  const how = withoutSession ? 'waits without a session, probably for' : 'waits for';
  const so = `${durationText(Math.max(0, nowMs - sinceMs))} so far`;
  return `${how} ${thingWords(on, quoted)} at ${quoted(participant)}, ${heldWords(holders)} (${so})`;
}

function heldWords(holders: readonly WaitHolder[]): string {
  if (holders.length === 0) return 'whose holder is not seen';
  const named = holders.slice(0, NAMED).map(holderWords);
  const more = holders.length - named.length;
  return `held by ${listed(more > 0 ? [...named, `${more} more`] : named)}`;
}

function holderWords(holder: WaitHolder): string {
  switch (holder.kind) {
    case 'branch':
      return `transaction ${quoted(holder.transaction)}`;
    case 'prepared':
      return `prepared transaction ${quoted(holder.gid)}, which is no branch of this cluster`;
    case 'session':
      return sessionWords(holder, quoted);
  }
}

/** `blocks 3 sessions at `ledger-west` (12 s so far)`. */
export function blocksWords({ waits, sinceMs }: Blocks, nowMs: number): string {
  const places = [...new Set(waits.map((one) => quoted(one.participant)))];
  const so = `${durationText(Math.max(0, nowMs - sinceMs))} so far`;
  return `blocks ${counted(waits.length, 'session')} at ${listed(places)} (${so})`;
}
