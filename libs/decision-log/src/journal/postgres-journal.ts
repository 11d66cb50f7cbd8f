/**
 * The journal on Postgres: what inspection reads. A transaction that ends within a second is written
 * once; a slow one when it turns a second old, when it changes, and at its end. What is only tried
 * again in vain is written less and less often: each writing is of its whole story, and there may be
 * thousands. Guards "never asked by the protocol": a note costs a map entry, memory is bounded,
 * and when the database cannot keep up the oldest notes are dropped and counted.
 * Crash window: a database that dies loses what it had not forced yet, though it was told to be written;
 * the story of what is only tried again is missing until it is written next, its decision never.
 */
import { Journal, type Clock, type TransactionView } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type pg from 'pg';
import { isAboutTheData } from '../register/unknown.js';
import { columnsOf, gistOf } from './journal-note.js';
import { WRITE_NOTES } from './journal.sql.js';

export interface JournalOptions {
  readonly periodMs: number;
  /** A live transaction is written once it is this old. */
  readonly slowMs: number;
  readonly rowsMax: number;
  /** Notes in memory at most. */
  readonly pendingMax: number;
  /** Of those, so many with timeline and outputs. */
  readonly detailedMax: number;
}

export const JOURNAL_DEFAULTS: JournalOptions = {
  periodMs: 250,
  slowMs: 1_000,
  rowsMax: 250,
  pendingMax: 20_000,
  detailedMax: 5_000,
};

const PAUSE_AFTER_FAILURE_MS = 1_000;
/** What is only tried again waits for a quarter of the time since it last changed, within these. */
const AGAIN_SHARE = 1 / 4;
const AGAIN_MS_MIN = 10_000;
const AGAIN_MS_MAX = 300_000;

/** What was last written of a transaction that has not ended; since when it is so, and when written. */
interface Told {
  readonly gist: string;
  readonly sinceMs: number;
  readonly atMs: number;
}

export interface JournalCounters {
  /** Rows written, updates of slow transactions included. */
  written: number;
  /** Notes that lost timeline and outputs because the database did not keep up. */
  stripped: number;
  /** Notes dropped because the database did not keep up or refused them. */
  dropped: number;
  failures: number;
}

export class PostgresJournal extends Journal {
  private readonly counters: JournalCounters = {
    written: 0,
    stripped: 0,
    dropped: 0,
    failures: 0,
  };
  /** The latest view per transaction; in order of their first note. */
  private readonly pending = new Map<TransactionId, TransactionView>();
  /** Of those, the ones that still have their detail. */
  private readonly detailed = new Set<TransactionId>();
  /** Of live transactions that were written: what, and when. */
  private readonly told = new Map<TransactionId, Told>();
  private cancel?: () => void;
  private running?: Promise<void>;
  private closed = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly options: JournalOptions = JOURNAL_DEFAULTS,
  ) {
    super();
  }

  override note(view: TransactionView): void {
    if (this.closed || this.isOnlyAgain(view)) return;
    this.pending.set(view.transaction, view);
    this.detailed.add(view.transaction);
    if (this.detailed.size > this.options.detailedMax) this.stripOldest();
    if (this.pending.size > this.options.pendingMax) this.dropOldest();
    this.schedule(this.options.periodMs);
  }

  statistics(): JournalCounters & { readonly pending: number } {
    return { ...this.counters, pending: this.pending.size };
  }

  /** Writes every note, young ones too. Never rejects: what cannot be written stays pending. */
  async flush(): Promise<void> {
    await this.running;
    await this.run([...this.pending.values()]);
  }

  /** Writes what it can, once, and takes no more. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    this.cancel = undefined;
    await this.flush();
    this.counters.dropped += this.pending.size;
    this.pending.clear();
    this.detailed.clear();
  }

  /** Whether it was written a while ago and nothing but another attempt has happened since. */
  private isOnlyAgain(view: TransactionView): boolean {
    const told = this.told.get(view.transaction);
    if (!told || view.endedAtMs !== undefined || this.pending.has(view.transaction)) return false;
    const now = this.clock.now();
    const aged = (now - told.sinceMs) * AGAIN_SHARE;
    const waitMs = Math.min(AGAIN_MS_MAX, Math.max(AGAIN_MS_MIN, aged));
    return now - told.atMs < waitMs && told.gist === gistOf(view);
  }

  private schedule(ms: number): void {
    if (this.cancel || this.running || this.closed) return;
    this.cancel = this.clock.after(ms, () => {
      this.cancel = undefined;
      void this.run(this.due());
    });
  }

  private due(): TransactionView[] {
    const now = this.clock.wallNow();
    // Wall time only decides when a line is written, never whether a transaction is slow.
    return [...this.pending.values()].filter(
      (view) => view.endedAtMs !== undefined || now - view.begunAtMs >= this.options.slowMs,
    );
  }

  private run(views: readonly TransactionView[]): Promise<void> {
    this.running = this.write(views).then((written) => {
      this.running = undefined;
      if (this.pending.size === 0) return;
      this.schedule(written ? this.options.periodMs : PAUSE_AFTER_FAILURE_MS);
    });
    return this.running;
  }

  private async write(views: readonly TransactionView[]): Promise<boolean> {
    for (let at = 0; at < views.length; at += this.options.rowsMax) {
      // One order for all coordinators: two that note the same transactions wait for each other.
      const part = views.slice(at, at + this.options.rowsMax).sort(byTransaction);
      if (!(await this.writePart(part))) return false;
    }
    return true;
  }

  /** False when the database did not answer; a note that it refuses is dropped alone. */
  private async writePart(part: readonly TransactionView[]): Promise<boolean> {
    try {
      const values = columnsOf(part);
      await this.pool.query({ name: 'concordat-journal', text: WRITE_NOTES, values });
      this.counters.written += part.length;
      part.forEach((view) => this.settle(view));
      return true;
    } catch (error) {
      if (!isAboutTheData(error) && !(error instanceof TypeError)) {
        this.counters.failures += 1;
        return false;
      }
      const [only] = part;
      if (only && part.length === 1) {
        this.counters.dropped += 1;
        this.settle(only);
        return true;
      }
      const middle = Math.ceil(part.length / 2);
      const first = await this.writePart(part.slice(0, middle));
      return first && (await this.writePart(part.slice(middle)));
    }
  }

  /** Forgets a note that was written, unless a newer one has come meanwhile. */
  private settle(view: TransactionView): void {
    const { transaction, version, endedAtMs } = view;
    const before = this.told.get(transaction);
    this.told.delete(transaction);
    if (endedAtMs === undefined) {
      const [gist, atMs] = [gistOf(view), this.clock.now()];
      const sinceMs = before?.gist === gist ? before.sinceMs : atMs;
      this.told.set(transaction, { gist, sinceMs, atMs });
      this.forgetOldestTold();
    }
    if (this.pending.get(transaction)?.version === version) this.forget(transaction);
  }

  private forgetOldestTold(): void {
    const [oldest] = this.told.keys();
    if (oldest !== undefined && this.told.size > this.options.pendingMax) this.told.delete(oldest);
  }

  private forget(transaction: TransactionId): void {
    this.pending.delete(transaction);
    this.detailed.delete(transaction);
  }

  private stripOldest(): void {
    const [oldest] = this.detailed;
    const view = oldest && this.pending.get(oldest);
    if (!view) return;
    const branches = view.branches.map(({ outputs: _, ...rest }) => rest);
    this.pending.set(oldest, { ...view, branches, timeline: [] });
    this.detailed.delete(oldest);
    this.counters.stripped += 1;
  }

  private dropOldest(): void {
    const [oldest] = this.pending.keys();
    if (oldest === undefined) return;
    this.forget(oldest);
    this.counters.dropped += 1;
  }
}

function byTransaction(a: TransactionView, b: TransactionView): number {
  return a.transaction < b.transaction ? -1 : 1;
}
