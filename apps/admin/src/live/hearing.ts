/**
 * When the coordinator last answered, from every answer that any part of the page got. Guards "stale is
 * said": a failed request shows within its own time-out.
 */
import type { QueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Unreachable } from '../api/problem.js';
import { noteServerTime } from './clock.js';

export interface Hearing {
  readonly lastHeardMs: number;
  readonly failing: boolean;
}

export function useHearing(queries: QueryClient): Hearing {
  const [heard, setHeard] = useState<Hearing>(() => ({ lastHeardMs: Date.now(), failing: false }));
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        if (event.type !== 'updated') return;
        if (event.action.type === 'success') {
          const at = serverTimeOf(event.action.data);
          if (at) noteServerTime(at);
          // Seconds are fine enough for people, and spare a render per answer.
          setHeard((before) =>
            !before.failing && Date.now() - before.lastHeardMs < 1_000
              ? before
              : { lastHeardMs: Date.now(), failing: false },
          );
        }
        if (event.action.type === 'error' && event.action.error instanceof Unreachable) {
          setHeard((before) => ({ ...before, failing: true }));
        }
      }),
    [queries],
  );
  return heard;
}

function serverTimeOf(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  if ('serverTime' in data && typeof data.serverTime === 'string') return data.serverTime;
  return undefined;
}
