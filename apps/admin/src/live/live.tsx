/**
 * The live connection: server-sent events where they get through, polling where they do not. Guards
 * "show effects": what an event names is asked for again, at most once a second however many come.
 */
import type { AdminEvent } from '@concordat/client';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  type ReactNode,
} from 'react';
import { freshness, pollEveryMs, type Freshness } from './freshness.js';
import { staleAfter } from './stale-keys.js';
import { useHearing } from './hearing.js';

const GATHER_MS = 1_000;
const RECONNECT_MS = 5_000;
const POLL_MS = 5_000;
const TYPES: readonly AdminEvent['type'][] = [
  'transaction',
  'participants',
  'overview',
  'orphans',
  'operation',
  'audit',
  'reset',
];

interface Live {
  readonly freshness: Freshness;
  readonly lastHeardMs: number;
  /** For queries that keep themselves fresh: the interval to ask again at. */
  readonly pollMs: number | false;
  setPaused(paused: boolean): void;
  /** Asks for everything on the page again, now. */
  refresh(): void;
}

const Context = createContext<Live>({
  freshness: 'paused',
  lastHeardMs: 0,
  pollMs: false,
  setPaused: () => undefined,
  refresh: () => undefined,
});

export const useLive = (): Live => useContext(Context);

export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const queries = useQueryClient();
  const [paused, setPaused] = useState(false);
  const [streamOpen, setStreamOpen] = useState(false);
  const { lastHeardMs, failing } = useHearing(queries);
  useEventStream(!paused, queries, setStreamOpen);
  const now = freshness({ paused, streamOpen, lastHeardMs, failing }, Date.now());
  const refresh = useCallback(() => void queries.refetchQueries({ type: 'active' }), [queries]);
  const pause = useCallback(
    (next: boolean) => {
      setPaused(next);
      if (!next) refresh();
    },
    [refresh],
  );
  const live = useMemo<Live>(
    () => ({
      freshness: now,
      lastHeardMs,
      pollMs: pollEveryMs(now, POLL_MS),
      setPaused: pause,
      refresh,
    }),
    [now, lastHeardMs, pause, refresh],
  );
  return <Context value={live}>{children}</Context>;
}

/** Keeps a stream open while it is wanted. The browser resumes it by Last-Event-ID by itself. */
function useEventStream(
  wanted: boolean,
  queries: QueryClient,
  setOpen: (open: boolean) => void,
): void {
  const gathered = useRef(new Map<string, readonly string[]>());
  useEffect(() => {
    if (!wanted) return undefined;
    let source: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const flush = setInterval(() => invalidateGathered(queries, gathered.current), GATHER_MS);
    const take = (message: MessageEvent<string>): void => {
      for (const key of keysOf(message.data)) gathered.current.set(JSON.stringify(key), key);
    };
    const connect = (): void => {
      source = new EventSource('/v1/admin/events');
      source.onopen = () => setOpen(true);
      source.onmessage = take;
      for (const type of TYPES) source.addEventListener(type, take);
      source.onerror = () => {
        setOpen(false);
        // Refused permanently, so the browser has given up: try again, later.
        if (source?.readyState === EventSource.CLOSED) again = setTimeout(connect, RECONNECT_MS);
      };
    };
    connect();
    return () => {
      clearInterval(flush);
      clearTimeout(again);
      source?.close();
      setOpen(false);
    };
  }, [wanted, queries, setOpen]);
}

function keysOf(data: string): readonly (readonly string[])[] {
  try {
    return staleAfter(JSON.parse(data) as AdminEvent);
  } catch {
    return [];
  }
}

function invalidateGathered(queries: QueryClient, gathered: Map<string, readonly string[]>): void {
  if (document.hidden || gathered.size === 0) return;
  const keys = [...gathered.values()];
  gathered.clear();
  for (const queryKey of keys) {
    void queries.invalidateQueries({
      queryKey,
      // The pages that somebody reads stay as they are; only the head is compared with them.
      predicate: (query) => query.queryKey[0] !== 'transactions-pages',
    });
  }
}
