/**
 * The height of a row, which the style sheet and the virtual list must agree on: narrow screens stack
 * what wide ones put side by side.
 */
import { useSyncExternalStore } from 'react';

const NARROW = '(max-width: 760px)';

function subscribe(listener: () => void): () => void {
  const query = window.matchMedia(NARROW);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

export function useRowHeight(): number {
  return useSyncExternalStore(subscribe, () => (window.matchMedia(NARROW).matches ? 118 : 60));
}
