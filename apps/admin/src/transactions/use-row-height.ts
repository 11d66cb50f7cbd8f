/**
 * The height of a row, which the style sheet and the virtual list must agree on: narrow screens stack
 * what wide ones put side by side.
 */
import { useSyncExternalStore } from 'react';

/** The narrowest first; `list.css` has the same widths and heights. */
const HEIGHTS = [
  { query: '(max-width: 560px)', height: 138 },
  { query: '(max-width: 760px)', height: 118 },
] as const;
const WIDE = 60;

function subscribe(listener: () => void): () => void {
  const queries = HEIGHTS.map(({ query }) => window.matchMedia(query));
  for (const query of queries) query.addEventListener('change', listener);
  return () => queries.forEach((query) => query.removeEventListener('change', listener));
}

function heightNow(): number {
  return HEIGHTS.find(({ query }) => window.matchMedia(query).matches)?.height ?? WIDE;
}

export function useRowHeight(): number {
  return useSyncExternalStore(subscribe, heightNow);
}
