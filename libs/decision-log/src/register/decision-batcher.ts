/**
 * Group commit: one batch of proposals is in flight, the next gathers meanwhile, and all of a batch
 * share one flush (protocol §3). It never waits for company: a proposal that finds nothing in flight
 * leaves with all others that arrived in the same turn of the event loop.
 */
import { RegisterUnknown, type Decided, type Proposal } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import { writeOut, type Whose, type WrittenProposal } from './proposal.js';

export interface BatchLimits {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

export interface BatchWriter {
  /**
   * Settles every proposal of a batch of distinct transactions, each exactly once and as soon as
   * its answer is durable. Never rejects.
   */
  settle(batch: readonly WrittenProposal[], settle: SettleOne): Promise<void>;
}

export type Settled = { readonly decided: Decided } | { readonly failed: Error };
export type SettleOne = (transaction: TransactionId, settled: Settled) => void;

export interface BatchCounters {
  batches: number;
  proposals: number;
  largestBatch: number;
}

interface Waiter {
  readonly written: WrittenProposal;
  readonly resolve: (decided: Decided) => void;
  readonly reject: (error: Error) => void;
}

export class DecisionBatcher {
  readonly counters: BatchCounters = { batches: 0, proposals: 0, largestBatch: 0 };
  /** In order of arrival. Several proposals for one transaction wait behind the first of them. */
  private waiting = new Map<TransactionId, Waiter[]>();
  private running?: Promise<void>;
  private closed = false;

  constructor(
    private readonly writer: BatchWriter,
    private readonly limits: BatchLimits,
    private readonly whose: Whose,
  ) {}

  async decide(proposal: Proposal): Promise<Decided> {
    const written = writeOut(proposal, this.whose);
    if (this.closed) throw closing();
    return new Promise<Decided>((resolve, reject) => {
      this.enqueue({ written, resolve, reject });
      this.running ??= this.run();
    });
  }

  /** Lets what waits be settled, and takes no more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
  }

  private enqueue(waiter: Waiter): void {
    const { transaction } = waiter.written.proposal;
    const queue = this.waiting.get(transaction);
    if (queue) queue.push(waiter);
    else this.waiting.set(transaction, [waiter]);
  }

  private async run(): Promise<void> {
    // Proposals that arrive in one turn of the event loop travel together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.waiting.size > 0) await this.flush();
    this.running = undefined;
  }

  private async flush(): Promise<void> {
    const batch = this.take();
    this.counters.batches += 1;
    this.counters.proposals += batch.size;
    this.counters.largestBatch = Math.max(this.counters.largestBatch, batch.size);
    const first = [...batch.values()].map((queue) => (queue[0] as Waiter).written);
    let silence: RegisterUnknown | undefined;
    await this.writer.settle(first, (transaction, settled) => {
      const queue = batch.get(transaction);
      batch.delete(transaction);
      if ('failed' in settled && settled.failed instanceof RegisterUnknown) {
        silence = settled.failed;
      }
      if (queue) this.deliver(queue, settled);
    });
    // A call that waited behind a silent database has waited long enough: it may ask again, rather than queue
    // for one time-out after another.
    if (silence) this.rejectWaiting(silence);
  }

  private rejectWaiting(failed: RegisterUnknown): void {
    const { waiting } = this;
    this.waiting = new Map();
    for (const queue of waiting.values()) for (const one of queue) one.reject(failed);
  }

  private take(): Map<TransactionId, Waiter[]> {
    const batch = new Map<TransactionId, Waiter[]>();
    let bytes = 0;
    for (const [transaction, queue] of this.waiting) {
      bytes += (queue[0] as Waiter).written.bytes;
      const full = batch.size >= this.limits.rowsMax || bytes > this.limits.bytesMax;
      if (full && batch.size > 0) break;
      batch.set(transaction, queue);
      this.waiting.delete(transaction);
    }
    return batch;
  }

  private deliver([first, ...others]: Waiter[], settled: Settled): void {
    if ('failed' in settled) {
      first?.reject(settled.failed);
      // The first proposal's failure says nothing about the others, unless the database did not answer at
      // all.
      const isUnanswered = settled.failed instanceof RegisterUnknown;
      for (const one of others) {
        if (isUnanswered) one.reject(settled.failed);
        else this.enqueue(one);
      }
      return;
    }
    const { decided } = settled;
    first?.resolve(decided);
    for (const one of others) {
      if (decided.kind === 'on-record') one.resolve({ ...decided, byUs: false });
      else if (decided.kind === 'forgotten') one.resolve(decided);
      else this.enqueue(one); // The first could not have its key; another proposal may still be recorded.
    }
  }
}

function closing(): RegisterUnknown {
  return new RegisterUnknown(
    'the decision log is closing: ask another coordinator, or after its restart',
  );
}
