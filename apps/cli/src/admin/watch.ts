/**
 * `concordat watch`: what is stuck, again whenever something changes. Guards "no gap": the stream is
 * resumed after the last event that was seen, and a reset means to look at everything again.
 */
import { durationText } from '@concordat/words';
import { setTimeout as pause } from 'node:timers/promises';
import { CoordinatorUnreachable, type AdminClient, type AdminOverview } from '@concordat/client';
import { plain, toned } from '../terminal/text.js';
import { describeList } from './transactions.js';

const RECONNECT_MS = 1_000;
/** Changes of one burst are shown together. */
const SETTLE_MS = 500;
/** Ages grow without any event. */
const REFRESH_MS = 15_000;

export interface WatchOptions {
  readonly limit: number;
  readonly write: (lines: readonly string[]) => void;
  readonly complain: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Shows the state now and after every change, until `signal` is aborted. */
export async function watch(client: AdminClient, options: WatchOptions): Promise<void> {
  const changes = new Changes();
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  void follow(client, changes, signal);
  try {
    await showing(client, changes, { ...options, signal });
  } finally {
    over.abort(); // The event stream would keep a process that has nothing to show.
  }
}

async function showing(
  client: AdminClient,
  changes: Changes,
  options: WatchOptions,
): Promise<void> {
  const { signal } = options;
  while (!signal.aborted) {
    try {
      const [overview, list] = await Promise.all([
        client.overview(),
        client.transactions({ view: 'stuck', limit: options.limit }),
      ]);
      options.write([headline(overview), ...describeList(list, 'stuck')]);
    } catch (error) {
      if (!(error instanceof CoordinatorUnreachable)) throw error;
      options.complain(`${error.message} Trying again.`);
    }
    await Promise.race([changes.next(), rest(REFRESH_MS, signal)]);
    await rest(SETTLE_MS, signal);
  }
}

function headline(overview: AdminOverview): string {
  const { inDoubt, stuck, heuristic, orphans, blockedSessions, throughput } = overview;
  const { notSeen, notCompared } = overview;
  const oldest =
    inDoubt?.oldestMs === undefined ? '' : `, oldest ${durationText(inDoubt.oldestMs)}`;
  const known = (value: number | undefined, isPartial = false): string =>
    value === undefined || (isPartial && value === 0)
      ? 'not known'
      : `${value}${isPartial ? ' or more' : ''}`;
  const isDark = notSeen.length > 0;
  const isUntold = overview.participants.some((one) => one.blockedSessions === undefined);
  const dark = [...new Set([...notSeen, ...notCompared])].sort().map(plain).join(', ');
  return toned(
    'strong',
    `${overview.serverTime}  in doubt ${known(inDoubt?.transactions, isDark)}${oldest} · stuck ${known(stuck)} · heuristic ${known(heuristic)} · orphans ${known(orphans, notCompared.length > 0)} · blocked sessions ${known(blockedSessions, isUntold)} · ${throughput.committedPerSecond.toFixed(1)} commits/s${dark ? ` · not known what lies prepared at ${dark}` : ''}`,
  );
}

async function follow(client: AdminClient, changes: Changes, signal: AbortSignal): Promise<void> {
  let last: string | undefined;
  while (!signal.aborted) {
    try {
      for await (const { id, event } of client.events(last, signal)) {
        last = id;
        if (event.type !== 'overview') changes.note();
      }
    } catch {
      // Cut or refused: the list itself says so; the stream is taken up again after `last`.
    }
    changes.note();
    await rest(RECONNECT_MS, signal);
  }
}

/** Remembers that something changed until somebody asks. */
class Changes {
  private pending = false;
  private wake: () => void = () => undefined;

  note(): void {
    this.pending = true;
    this.wake();
  }

  async next(): Promise<void> {
    if (!this.pending) await new Promise<void>((resolve) => (this.wake = resolve));
    this.pending = false;
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal, ref: true }).catch(() => undefined);
}
