/**
 * Reads of standing decisions: what is asked for within one turn of the event loop is read in one statement.
 * After a restart thousands of branches are asked about at once, and a statement costs more than its row.
 * A read is sent after it was asked for, so each answer is as fresh as that of a statement of its own; an
 * error is the answer of all that were read together, and each of them asks again.
 */
import type { StandingDecision } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';

type Standings = readonly StandingDecision[];
type Read = (transactions: readonly TransactionId[]) => Promise<Standings>;

interface Waiting {
  readonly resolve: (standing: StandingDecision | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Rows of one statement at most: their answers may be large. */
export const READ_TOGETHER_MAX = 256;

export class StandingReads {
  private gathered = new Map<TransactionId, Waiting[]>();

  constructor(private readonly read: Read) {}

  /** The decision on record, or undefined. Rejects with what the statement is rejected with. */
  of(transaction: TransactionId): Promise<StandingDecision | undefined> {
    return new Promise((resolve, reject) => {
      const { gathered } = this;
      if (gathered.size === 0) setImmediate(() => this.send(gathered));
      const waiting = gathered.get(transaction);
      if (waiting) waiting.push({ resolve, reject });
      else gathered.set(transaction, [{ resolve, reject }]);
      if (gathered.size >= READ_TOGETHER_MAX) this.send(gathered);
    });
  }

  /** Once for each batch: it may be full before its turn of the loop is over. */
  private send(batch: Map<TransactionId, Waiting[]>): void {
    if (batch !== this.gathered) return;
    this.gathered = new Map();
    void this.answer(batch);
  }

  private async answer(batch: ReadonlyMap<TransactionId, readonly Waiting[]>): Promise<void> {
    try {
      const found = new Map<TransactionId, StandingDecision>();
      for (const one of await this.read([...batch.keys()])) found.set(one.transaction, one);
      for (const [id, waiting] of batch) for (const { resolve } of waiting) resolve(found.get(id));
    } catch (error) {
      for (const waiting of batch.values()) for (const { reject } of waiting) reject(error);
    }
  }
}
