/**
 * Notes that wait to be written: the latest view of each transaction, in the order of their first note.
 * Guards "memory is bounded, by number and by bytes": when the database does not keep up, the oldest lose
 * their detail first, timeline and outputs, and are dropped when that is not enough. Both are counted.
 */
import { weightOf, type TransactionView } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';

export interface PendingBounds {
  /** Notes in memory at most. */
  readonly pendingMax: number;
  /** Of those, so many with timeline and outputs. */
  readonly detailedMax: number;
  /** What they weigh together at most, see `weightOf`. */
  readonly bytesMax: number;
}

interface Note {
  readonly view: TransactionView;
  readonly bytes: number;
}

export class PendingNotes {
  /** Notes that lost timeline and outputs. */
  stripped = 0;
  dropped = 0;
  private readonly notes = new Map<TransactionId, Note>();
  /** The ones that still have their detail. */
  private readonly detailed = new Set<TransactionId>();
  private weight = 0;

  constructor(private readonly bounds: PendingBounds) {}

  get size(): number {
    return this.notes.size;
  }

  get bytes(): number {
    return this.weight;
  }

  has(transaction: TransactionId): boolean {
    return this.notes.has(transaction);
  }

  views(): TransactionView[] {
    return [...this.notes.values()].map((one) => one.view);
  }

  put(view: TransactionView): void {
    const { pendingMax, detailedMax, bytesMax } = this.bounds;
    this.set(view);
    this.detailed.add(view.transaction);
    while (this.detailed.size > detailedMax || (this.weight > bytesMax && this.detailed.size > 0)) {
      this.stripOldest();
    }
    while (this.notes.size > pendingMax || this.weight > bytesMax) this.dropOldest();
  }

  /** As many of these, from the front, as one statement takes; always one. Those that are gone are left out. */
  part(
    transactions: readonly TransactionId[],
    most: { readonly rows: number; readonly bytes: number },
  ): { readonly views: TransactionView[]; readonly taken: number } {
    const views: TransactionView[] = [];
    let [taken, bytes] = [0, 0];
    for (const one of transactions) {
      const note = this.notes.get(one);
      bytes += note?.bytes ?? 0;
      if (views.length > 0 && (views.length === most.rows || bytes > most.bytes)) break;
      taken += 1;
      if (note) views.push(note.view);
    }
    return { views, taken };
  }

  /** Forgets a note that was written, unless a newer one has come meanwhile. */
  written({ transaction, version }: TransactionView): void {
    if (this.notes.get(transaction)?.view.version === version) this.forget(transaction);
  }

  /** Drops all that is left. */
  clear(): void {
    this.dropped += this.notes.size;
    this.notes.clear();
    this.detailed.clear();
    this.weight = 0;
  }

  private set(view: TransactionView): void {
    const bytes = weightOf(view);
    this.weight += bytes - (this.notes.get(view.transaction)?.bytes ?? 0);
    this.notes.set(view.transaction, { view, bytes });
  }

  private forget(transaction: TransactionId): void {
    this.weight -= this.notes.get(transaction)?.bytes ?? 0;
    this.notes.delete(transaction);
    this.detailed.delete(transaction);
  }

  private stripOldest(): void {
    const [oldest] = this.detailed;
    if (oldest === undefined) return;
    this.detailed.delete(oldest);
    this.stripped += 1;
    const view = this.notes.get(oldest)?.view;
    if (!view) return;
    const branches = view.branches.map(({ outputs: _, ...rest }) => rest);
    this.set({ ...view, branches, timeline: [] });
  }

  private dropOldest(): void {
    const [oldest] = this.notes.keys();
    if (oldest === undefined) return;
    this.forget(oldest);
    this.dropped += 1;
  }
}
