/**
 * Row locks of a simulated database, with their queues, as Postgres keeps them: first come, first served;
 * held from the statement that takes one to the end of its transaction, prepared or not; released when the
 * server notices that a session's client is gone. A waiter waits for the holder and for all that are ahead in
 * the queue. Each wait has an id of its own. A wait may be cancelled; then the row's waiter is remembered
 * until it asks again.
 */
import type { Timeline } from './timeline.js';

/** A transaction of the database that takes locks. */
export interface Locker {
  readonly gid: string;
  /** Its client has died, so that no process will end it: not so once it is prepared. */
  isGone: () => boolean;
}

/** One wait for one row. */
export interface RowWait {
  readonly id: string;
  readonly row: string;
  readonly waiter: Locker;
  readonly since: number;
  /** The holder of the row, then those ahead, the nearest first. */
  readonly holders: readonly Locker[];
}

interface Queued {
  readonly id: string;
  readonly locker: Locker;
  readonly since: number;
  readonly granted: () => void;
  readonly refused: (error: Error) => void;
}

interface Row {
  holder?: Locker;
  queue: Queued[];
}

export class RowLocks {
  private readonly rows = new Map<string, Row>();
  /** Whose wait was cancelled, by gid, and for which row it was. */
  private readonly cancelled = new Map<string, string>();
  private watching = false;

  /** `changed` is called with every change of the waits. */
  constructor(
    private readonly timeline: Timeline,
    private readonly nextId: () => number,
    private readonly changed: () => void = () => undefined,
  ) {}

  /** Resolves once the row is the locker's; rejects when the locker ends before. */
  lock(row: string, locker: Locker): Promise<void> {
    this.cancelled.delete(locker.gid);
    const found = this.rows.get(row) ?? { queue: [] };
    this.rows.set(row, found);
    if (found.holder === locker) return Promise.resolve();
    if (!found.holder) {
      found.holder = locker;
      return Promise.resolve();
    }
    return new Promise((granted, refused) => {
      const id = `w${this.nextId()}`;
      found.queue.push({ id, locker, since: this.timeline.now, granted, refused });
      this.changed();
      this.watch();
    });
  }

  /** It is prepared: its client may go, its locks stay. */
  keep(gid: string): void {
    for (const { holder } of this.rows.values()) {
      if (holder?.gid === gid) holder.isGone = () => false;
    }
  }

  /** The end of a transaction, or of a prepared one by its gid: all that it holds and waits for. */
  release(ended: Locker | string): void {
    const isIt = (one: Locker): boolean =>
      typeof ended === 'string' ? one.gid === ended : one === ended;
    for (const row of this.rows.values()) {
      const left = row.queue.filter(({ locker }) => isIt(locker));
      row.queue = row.queue.filter(({ locker }) => !isIt(locker));
      for (const one of left) one.refused(new Error('the session has ended'));
      if (row.holder && isIt(row.holder)) this.handOn(row);
    }
    this.changed();
  }

  /** Cancels what it waits for, as a signal does: its statement fails, what it holds stays. */
  cancel(locker: Locker): boolean {
    for (const [name, row] of this.rows) {
      const found = row.queue.find((one) => one.locker === locker);
      if (!found) continue;
      row.queue.splice(row.queue.indexOf(found), 1);
      this.cancelled.set(locker.gid, name);
      found.refused(new Error('canceling statement due to user request'));
      this.changed();
      return true;
    }
    return false;
  }

  /**
   * Transactions whose wait was cancelled and that have not asked again: for which each would wait if it did.
   */
  wanted(): { readonly gid: string; readonly holders: readonly Locker[] }[] {
    return [...this.cancelled].map(([gid, name]) => {
      const { holder, queue = [] } = this.rows.get(name) ?? {};
      const others = [...(holder ? [holder] : []), ...queue.map(({ locker }) => locker)];
      return { gid, holders: others.filter((one) => one.gid !== gid) };
    });
  }

  waits(): RowWait[] {
    return [...this.rows].flatMap(([name, { holder, queue }]) =>
      queue.map(({ id, locker, since }, at) => {
        const ahead = queue.slice(0, at).map((one) => one.locker);
        return {
          ...{ id, since, row: name, waiter: locker },
          holders: [...(holder ? [holder] : []), ...ahead.reverse()],
        };
      }),
    );
  }

  private handOn(row: Row): void {
    const next = row.queue.shift();
    row.holder = next?.locker;
    next?.granted();
  }

  /** The server looks for clients that are gone, as long as somebody waits. */
  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    this.timeline.at(CONNECTION_WATCH_MS, () => {
      this.watching = false;
      for (const row of this.rows.values()) {
        row.queue = row.queue.filter(({ locker }) => !locker.isGone());
        if (row.holder?.isGone()) this.handOn(row);
      }
      this.changed();
      if ([...this.rows.values()].some(({ queue }) => queue.length > 0)) this.watch();
    });
  }
}

/** How soon the server notices that a client is gone. */
export const CONNECTION_WATCH_MS = 100;
