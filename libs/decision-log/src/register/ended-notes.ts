/**
 * Notes that commits have ended, or requests under a key: gathered for a moment, written in one unforced
 * statement, kept until the database has taken them. Losing them in a crash costs one repeated round, so no
 * caller waits for them and they never fail a caller.
 */
import type { Clock } from '@concordat/engine';
import type { TransactionId, TransactionOutcome } from '@concordat/protocol';

export interface EndedNote {
  readonly outcome: TransactionOutcome;
  /** Whole milliseconds from the decision to the end. */
  readonly afterMs: number;
}

export interface EndedNotesOptions {
  readonly gatherMs: number;
  readonly rowsMax: number;
}

const RETRY_MS = 500;

export class EndedNotes<Note = EndedNote> {
  private readonly waiting = new Map<TransactionId, Note>();
  private cancel?: () => void;
  private running?: Promise<boolean>;
  private closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly write: (notes: ReadonlyMap<TransactionId, Note>) => Promise<void>,
    private readonly options: EndedNotesOptions,
  ) {}

  get backlog(): number {
    return this.waiting.size;
  }

  note(transaction: TransactionId, note: Note): void {
    this.waiting.set(transaction, note);
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
    await this.running;
    await this.flush();
  }

  private async flushAll(): Promise<boolean> {
    this.cancel?.();
    this.cancel = undefined;
    while (this.waiting.size > 0) {
      // One order for all coordinators, so that two of them wait instead of deadlocking.
      const batch = new Map([...this.waiting].slice(0, this.options.rowsMax).sort(byTransaction));
      try {
        await this.write(batch);
      } catch {
        this.schedule(RETRY_MS);
        return false;
      }
      for (const [transaction, note] of batch) {
        if (this.waiting.get(transaction) === note) this.waiting.delete(transaction);
      }
    }
    return true;
  }

  private schedule(ms: number): void {
    if (this.closed || this.cancel) return;
    this.cancel = this.clock.after(ms, () => {
      this.cancel = undefined;
      void this.flush();
    });
  }
}

function byTransaction([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
