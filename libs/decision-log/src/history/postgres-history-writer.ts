/**
 * The history on Postgres: what inspection reads. A transaction that ends within a second is written
 * once; a slow one when it turns a second old, when it changes, and at its end. Further failed attempts are
 * written less and less often: each write is of the whole history, and there may be thousands. Guards "never
 * asked by the protocol": a note costs a map entry, and memory is bounded (`pending-notes.ts`), in what waits
 * as in what is being written. Crash window: a database that crashes loses what it had not forced yet, though
 * it had accepted the write; the history of further attempts is missing until its next write, its decision
 * never.
 */
import { HistoryWriter, type Clock, type TransactionView } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type pg from 'pg';
import { isAboutTheData } from '../register/unknown.js';
import { gistOf, noteOf, rowsOf, type Note } from './history-note.js';
import { WRITE_NOTES } from './history.sql.js';
import { PendingNotes, type PendingBounds } from './pending-notes.js';

export interface HistoryWriterOptions extends PendingBounds {
  readonly periodMs: number;
  /** A live transaction is written once it is this old. */
  readonly slowMs: number;
  /** Of one statement; its notes weigh as much as it is written as text, and are held until it ends. */
  readonly rowsMax: number;
}

export const HISTORY_DEFAULTS: HistoryWriterOptions = {
  periodMs: 250,
  slowMs: 1_000,
  rowsMax: 250,
  pendingMax: 20_000,
  detailedMax: 5_000,
  bytesMax: 67_108_864,
};

const STATEMENT_BYTES_MAX = 8_388_608;

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

export interface HistoryCounters {
  /** Rows written, updates of slow transactions included. */
  written: number;
  /** Notes that lost timeline and outputs because the database did not keep up. */
  stripped: number;
  /** Notes dropped because the database did not keep up or refused them. */
  dropped: number;
  failures: number;
}

export interface HistoryLoad {
  /** Notes in memory, and what they weigh. */
  readonly pending: number;
  readonly bytes: number;
  readonly bytesMax: number;
}

export class PostgresHistoryWriter extends HistoryWriter {
  private readonly counters = { written: 0, refused: 0, failures: 0 };
  private readonly pending: PendingNotes;
  /** Of live transactions that were written: what, and when. */
  private readonly told = new Map<TransactionId, Told>();
  private cancel?: () => void;
  private running?: Promise<void>;
  private closed = false;

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly options: HistoryWriterOptions = HISTORY_DEFAULTS,
  ) {
    super();
    this.pending = new PendingNotes(options);
  }

  override note(view: TransactionView): void {
    if (this.closed || this.isOnlyAgain(view)) return;
    const note = this.written(view);
    if (!note) return;
    this.pending.put(note);
    this.schedule(this.options.periodMs);
  }

  statistics(): HistoryCounters & HistoryLoad {
    const { written, refused, failures } = this.counters;
    const { stripped, dropped, size, bytes } = this.pending;
    const { bytesMax } = this.options;
    return {
      written,
      stripped,
      dropped: dropped + refused,
      failures,
      pending: size,
      bytes,
      bytesMax,
    };
  }

  /** Writes every note, young ones too. Never rejects: what cannot be written stays pending. */
  async flush(): Promise<void> {
    await this.running;
    await this.run(this.pending.all().map((note) => note.transaction));
  }

  /** Writes what it can, once, and takes no more. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    this.cancel = undefined;
    await this.flush();
    this.pending.clear();
  }

  /** What is no JSON is dropped here, alone. */
  private written(view: TransactionView): Note | undefined {
    try {
      return noteOf(view);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.counters.refused += 1;
      return undefined;
    }
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

  private due(): TransactionId[] {
    const now = this.clock.wallNow();
    // Wall time only decides when a line is written, never whether a transaction is slow.
    const isDue = ({ hasEnded, begunAtMs }: Note): boolean =>
      hasEnded || now - begunAtMs >= this.options.slowMs;
    return this.pending.all().flatMap((note) => (isDue(note) ? [note.transaction] : []));
  }

  private run(transactions: readonly TransactionId[]): Promise<void> {
    this.running = this.write(transactions).then((written) => {
      this.running = undefined;
      if (this.pending.size === 0) return;
      this.schedule(written ? this.options.periodMs : PAUSE_AFTER_FAILURE_MS);
    });
    return this.running;
  }

  /** Each statement takes the notes as they are then: while it waits, no other is held for it. */
  private async write(transactions: readonly TransactionId[]): Promise<boolean> {
    const most = { rows: this.options.rowsMax, bytes: STATEMENT_BYTES_MAX };
    for (let at = 0; at < transactions.length;) {
      const { notes, taken } = this.pending.part(transactions.slice(at), most);
      // One order for all coordinators: two that note the same transactions wait for each other.
      if (notes.length > 0 && !(await this.writePart(notes.sort(byTransaction)))) return false;
      at += taken;
    }
    return true;
  }

  /** False when the database did not answer; a note that it refuses is dropped alone. */
  private async writePart(part: readonly Note[]): Promise<boolean> {
    try {
      const values = [rowsOf(part)];
      await this.pool.query({ name: 'concordat-history', text: WRITE_NOTES, values });
      this.counters.written += part.length;
      part.forEach((note) => this.settle(note));
      return true;
    } catch (error) {
      if (!isAboutTheData(error)) {
        this.counters.failures += 1;
        return false;
      }
      const [only] = part;
      if (only && part.length === 1) {
        this.counters.refused += 1;
        this.settle(only);
        return true;
      }
      const middle = Math.ceil(part.length / 2);
      const first = await this.writePart(part.slice(0, middle));
      return first && (await this.writePart(part.slice(middle)));
    }
  }

  /** Forgets a note that was written, unless a newer one has come meanwhile. */
  private settle(note: Note): void {
    const { transaction, gist } = note;
    const before = this.told.get(transaction);
    this.told.delete(transaction);
    if (gist !== undefined) {
      const atMs = this.clock.now();
      const sinceMs = before?.gist === gist ? before.sinceMs : atMs;
      this.told.set(transaction, { gist, sinceMs, atMs });
      this.forgetOldestTold();
    }
    this.pending.written(note);
  }

  private forgetOldestTold(): void {
    const [oldest] = this.told.keys();
    if (oldest !== undefined && this.told.size > this.options.pendingMax) this.told.delete(oldest);
  }
}

function byTransaction(a: Note, b: Note): number {
  return a.transaction < b.transaction ? -1 : 1;
}
