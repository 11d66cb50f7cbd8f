/**
 * The reaper: drops ended transactions from memory after a short retention, unless their end is not on record
 * yet, and notes slow ones in the history while they are live. It drops memory only, nothing that must
 * survive.
 */
import type { TransactionId } from '@concordat/protocol';
import type { LiveTransaction } from './live-transaction.js';
import type { Clock, HistoryWriter } from './ports/index.js';
import type { UnprovenEnds } from './unproven-ends.js';

export interface ReaperOptions {
  readonly afterglowMs: number;
}

/** A transaction older than this is in the history while it lives, not only when it ends. */
const SLOW_MS = 1_000;
const PERIOD_MS = 250;

export class Reaper {
  private readonly finished = new Map<TransactionId, { live: LiveTransaction; until: number }>();
  /** Of those, the ones that still have their outputs. */
  private readonly laden = new Set<TransactionId>();
  private cancel?: () => void;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly historyWriter: HistoryWriter,
    private readonly reaped: {
      readonly transactions: Map<TransactionId, LiveTransaction>;
      readonly kept: Pick<UnprovenEnds, 'has'>;
    },
    private readonly options: ReaperOptions,
    /** Called with each one whose outputs were dropped from memory. */
    private readonly forgotten: (id: TransactionId) => void,
  ) {
    this.schedule();
  }

  /** Takes note of an end: history now, memory a little later. */
  ended(live: LiveTransaction): void {
    this.note(live);
    this.laden.add(live.id);
    this.finished.set(live.id, { live, until: this.clock.now() + this.options.afterglowMs });
  }

  /** Forgets what the one that ended first still carries, before its time; false when none does. */
  forgetOne(): boolean {
    const [oldest] = this.laden;
    if (oldest === undefined) return false;
    this.laden.delete(oldest);
    if (this.reaped.kept.has(oldest)) {
      // Its end is to stay until it is on record; its outputs need not.
      this.finished.get(oldest)?.live.forgetOutputs();
      this.forgotten(oldest);
    } else {
      this.forget(oldest);
    }
    return true;
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
    for (const live of this.reaped.transactions.values()) this.note(live);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.cancel = this.clock.after(PERIOD_MS, () => {
      this.sweep();
      this.schedule();
    });
  }

  private sweep(): void {
    const now = this.clock.now();
    const { transactions, kept } = this.reaped;
    // Insertion order is order of ending, so the first that still glows ends the sweep.
    for (const [id, { until }] of this.finished) {
      if (until > now) break;
      if (!kept.has(id)) this.forget(id);
    }
    for (const live of transactions.values()) {
      if (now - live.begunAt < SLOW_MS) break; // The rest is younger.
      this.note(live);
    }
  }

  private forget(id: TransactionId): void {
    this.finished.delete(id);
    this.laden.delete(id);
    this.reaped.transactions.delete(id);
    this.forgotten(id);
  }

  private note(live: LiveTransaction): void {
    const view = live.takeChanges();
    if (view) this.historyWriter.note(view);
  }
}
