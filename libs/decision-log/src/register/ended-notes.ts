/**
 * Notes that commits have ended: gathered for a moment, written in one unforced statement, kept until
 * the database cannot lose them any more. Nobody waits for them and they never fail anybody. Guards
 * "a commit that has ended is not open for ever": a crash of the database takes back what it had not
 * flushed, so each note is looked at again, soon and once it must have been flushed, and written anew
 * when it is gone. Crash window: a note lost together with its coordinator costs one repeated round.
 */
import type { Clock } from '@concordat/engine';
import type { TransactionId, TransactionOutcome } from '@concordat/protocol';

export interface EndedNotesOptions {
  readonly gatherMs: number;
  readonly rowsMax: number;
}

export type Notes = ReadonlyMap<TransactionId, TransactionOutcome>;

interface Written {
  readonly outcome: TransactionOutcome;
  readonly at: number;
  /** Looks that found it still there. */
  readonly looks: number;
}

const RETRY_MS = 500;
const LOOK_EVERY_MS = 5_000;
/**
 * After writing: soon, since the usual flush comes within a second; and last when even the slowest has
 * come. Postgres flushes an unforced commit within three times wal_writer_delay, 30 s at the most.
 */
const LOOKS_MS = [4_000, 31_000] as const;

export class EndedNotes {
  private readonly waiting = new Map<TransactionId, TransactionOutcome>();
  private readonly written = new Map<TransactionId, Written>();
  private cancel?: () => void;
  private cancelLook?: () => void;
  private running?: Promise<boolean>;
  private closed = false;

  constructor(
    private readonly clock: Clock,
    /** Resolves with those that had no end before. */
    private readonly write: (notes: Notes) => Promise<readonly TransactionId[]>,
    private readonly options: EndedNotesOptions,
  ) {}

  get backlog(): number {
    return this.waiting.size;
  }

  note(transaction: TransactionId, outcome: TransactionOutcome): void {
    this.waiting.set(transaction, outcome);
    if (this.waiting.size >= this.options.rowsMax) void this.flush();
    else this.schedule(this.options.gatherMs);
  }

  /** Writes what waits. False when the database did not take all of it; then it is tried again. */
  flush(): Promise<boolean> {
    this.running ??= this.flushAll().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** One last attempt; what the database does not take now is found unended by a coordinator. */
  async close(): Promise<void> {
    this.closed = true;
    this.cancel?.();
    this.cancelLook?.();
    await this.running;
    await this.flush();
  }

  private async flushAll(): Promise<boolean> {
    this.cancel?.();
    this.cancel = undefined;
    while (this.waiting.size > 0) {
      const batch = this.batchOf(this.waiting);
      const at = this.clock.now();
      try {
        await this.write(batch);
      } catch {
        this.schedule(RETRY_MS);
        return false;
      }
      for (const [transaction, outcome] of batch) {
        if (this.waiting.get(transaction) === outcome) this.waiting.delete(transaction);
        this.written.set(transaction, { outcome, at, looks: 0 });
      }
      this.scheduleLook(LOOK_EVERY_MS);
    }
    return true;
  }

  /** Writes once more what may have been lost: nothing happens to what is still there. */
  private async lookAgain(): Promise<void> {
    const now = this.clock.now();
    const due = new Map<TransactionId, TransactionOutcome>();
    for (const [transaction, { outcome, at, looks }] of this.written) {
      if (now - at >= (LOOKS_MS[looks] ?? 0)) due.set(transaction, outcome);
    }
    while (due.size > 0 && !this.closed) {
      const batch = this.batchOf(due);
      const at = this.clock.now();
      let lost: ReadonlySet<TransactionId>;
      try {
        lost = new Set(await this.write(batch));
      } catch {
        return this.scheduleLook(RETRY_MS);
      }
      for (const [transaction, outcome] of batch) {
        due.delete(transaction);
        const before = this.written.get(transaction);
        if (before === undefined) continue;
        const looks = before.looks + 1;
        if (lost.has(transaction)) this.written.set(transaction, { outcome, at, looks: 0 });
        else if (looks < LOOKS_MS.length) this.written.set(transaction, { ...before, looks });
        else this.written.delete(transaction);
      }
    }
    if (this.written.size > 0) this.scheduleLook(LOOK_EVERY_MS);
  }

  /** One order for all coordinators, so that two of them wait instead of deadlocking. */
  private batchOf(notes: Notes): Map<TransactionId, TransactionOutcome> {
    const some: [TransactionId, TransactionOutcome][] = [];
    for (const note of notes) {
      if (some.push(note) === this.options.rowsMax) break;
    }
    return new Map(some.sort(byTransaction));
  }

  private schedule(ms: number): void {
    if (this.closed || this.cancel) return;
    this.cancel = this.clock.after(ms, () => {
      this.cancel = undefined;
      void this.flush();
    });
  }

  private scheduleLook(ms: number): void {
    if (this.closed || this.cancelLook) return;
    this.cancelLook = this.clock.after(ms, () => {
      this.cancelLook = undefined;
      void this.lookAgain();
    });
  }
}

function byTransaction([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
