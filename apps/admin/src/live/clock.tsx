/**
 * The coordinator's clock on the page: one tick a second for everything that counts. Guards "no client
 * clock": ages and countdowns follow `serverTime`, however wrong this machine's clock is; and a
 * dossier's clock stays at the moment it was made.
 */
import { createContext, useContext, useSyncExternalStore, type ReactNode } from 'react';

const TICK_MS = 1_000;
/** Below this, a difference is the answer's way here, not the clocks. */
const SLACK_MS = 500;

let offsetMs = 0;
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** Takes note of what the coordinator's clock says in an answer that has just arrived. */
export function noteServerTime(iso: string): void {
  const measured = new Date(iso).getTime() - Date.now();
  if (Number.isNaN(measured) || Math.abs(measured - offsetMs) < SLACK_MS) return;
  offsetMs = measured;
  tick();
}

function tick(): void {
  nowMs = Date.now() + offsetMs;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const Frozen = createContext<number | undefined>(undefined);

/** Everything inside sees this moment as now. */
export function FrozenClock({
  at,
  children,
}: {
  readonly at: string;
  readonly children: ReactNode;
}) {
  return <Frozen value={new Date(at).getTime()}>{children}</Frozen>;
}

/** Now, by the coordinator's clock; renders again each second. */
export function useNow(): number {
  const frozen = useContext(Frozen);
  const live = useSyncExternalStore(frozen === undefined ? subscribe : never, () => nowMs);
  return frozen ?? live;
}

function never(): () => void {
  return () => undefined;
}
