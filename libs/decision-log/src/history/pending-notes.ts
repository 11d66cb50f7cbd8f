/**
 * Notes that wait to be written: the latest of each transaction, in the order of their first note.
 * Guards "memory is bounded, by number and by bytes": when the database does not keep up, the oldest lose
 * their detail first, timeline and outputs, and are dropped when that is not enough. Both are counted.
 */
import type { TransactionId } from '@concordat/protocol';
import { strippedNote, type Note } from './history-note.js';

export interface PendingBounds {
  /** Notes in memory at most. */
  readonly pendingMax: number;
  /** Of those, so many with timeline and outputs. */
  readonly detailedMax: number;
  /** Bytes that they take together at most. */
  readonly bytesMax: number;
}

/** Of a note besides its row, about. */
const NOTE_BYTES = 200;

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

  all(): Note[] {
    return [...this.notes.values()];
  }

  put(note: Note): void {
    const { pendingMax, detailedMax, bytesMax } = this.bounds;
    this.set(note);
    this.detailed.add(note.transaction);
    while (this.detailed.size > detailedMax || (this.weight > bytesMax && this.detailed.size > 0)) {
      this.stripOldest();
    }
    while (this.notes.size > pendingMax || this.weight > bytesMax) this.dropOldest();
  }

  /** As many of these, from the front, as one statement takes; always one. Those that are gone are left out. */
  part(
    transactions: readonly TransactionId[],
    most: { readonly rows: number; readonly bytes: number },
  ): { readonly notes: Note[]; readonly taken: number } {
    const notes: Note[] = [];
    let [taken, bytes] = [0, 0];
    for (const one of transactions) {
      const note = this.notes.get(one);
      if (note) bytes += bytesOf(note);
      if (notes.length > 0 && (notes.length === most.rows || bytes > most.bytes)) break;
      taken += 1;
      if (note) notes.push(note);
    }
    return { notes, taken };
  }

  /** Forgets a note that was written, unless a newer one has come meanwhile. */
  written({ transaction, version }: Note): void {
    if (this.notes.get(transaction)?.version === version) this.forget(transaction);
  }

  /** Drops all that is left. */
  clear(): void {
    this.dropped += this.notes.size;
    this.notes.clear();
    this.detailed.clear();
    this.weight = 0;
  }

  private set(note: Note): void {
    const before = this.notes.get(note.transaction);
    this.weight += bytesOf(note) - (before ? bytesOf(before) : 0);
    this.notes.set(note.transaction, note);
  }

  private forget(transaction: TransactionId): void {
    const note = this.notes.get(transaction);
    if (note) this.weight -= bytesOf(note);
    this.notes.delete(transaction);
    this.detailed.delete(transaction);
  }

  private stripOldest(): void {
    const [oldest] = this.detailed;
    if (oldest === undefined) return;
    this.detailed.delete(oldest);
    this.stripped += 1;
    const note = this.notes.get(oldest);
    if (note) this.set(strippedNote(note));
  }

  private dropOldest(): void {
    const [oldest] = this.notes.keys();
    if (oldest === undefined) return;
    this.forget(oldest);
    this.dropped += 1;
  }
}

/** A character may take two bytes. */
function bytesOf({ row, gist = '', detail }: Note): number {
  const detailed = detail ? detail.branches.length + detail.timeline.length : 0;
  return NOTE_BYTES + 2 * (row.length + gist.length + detailed);
}
