/**
 * How fresh the page is, from the answers received. Guards "stale is said, never guessed": a stream that is
 * cut is polling, and polling that fails is stale, however good the last answer was.
 */
export type Freshness = 'live' | 'polling' | 'stale' | 'paused';

export interface Heard {
  readonly paused: boolean;
  readonly streamOpen: boolean;
  /** When an answer or event last came. */
  readonly lastHeardMs: number;
  /** Whether the last request failed to get any answer. */
  readonly failing: boolean;
}

const STALE_AFTER_MS = 20_000;

export function freshness(heard: Heard, nowMs: number): Freshness {
  if (heard.paused) return 'paused';
  if (heard.failing) return 'stale';
  if (heard.streamOpen) return 'live';
  return nowMs - heard.lastHeardMs > STALE_AFTER_MS ? 'stale' : 'polling';
}

/** How often an open page asks again by itself; a stream makes it a mere safety net. */
export function pollEveryMs(now: Freshness, chosenMs: number): number | false {
  switch (now) {
    case 'paused':
      return false;
    case 'live':
      return 15_000;
    case 'polling':
    case 'stale':
      return chosenMs;
  }
}

export const FRESHNESS_WORDS: Readonly<Record<Freshness, { word: string; means: string }>> = {
  live: { word: 'live', means: 'Changes are shown as they happen.' },
  polling: { word: 'polling', means: 'The event stream is cut; the page asks again regularly.' },
  stale: { word: 'stale', means: 'The coordinator does not answer; this is its last answer.' },
  paused: { word: 'paused', means: 'Nothing changes on the page until you resume.' },
};
