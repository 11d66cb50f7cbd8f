/**
 * Ends that are only in the history: presumed aborts, commits whose votes were all read-only, and commits in one phase. Guards "an
 * answer stays true": the history is written without force, so a database that crashes soon after loses such
 * an end, and a transaction that has ended would be shown as under way forever, or an abort be recorded for
 * one that was answered as committed. The owner therefore keeps each of them until the history has its end
 * durably, and notes lost ones again.
 *
 * Crash windows:
 *   owner dies before its end is noted   others record an abort; of a commit that wrote nothing
 *                                        nothing can be in doubt, and no durable state differs
 *   database dies, note lost             the next question finds it missing, and it is noted again
 *   between question and answer          the end stays kept, and is asked about again
 */
import type { TransactionId } from '@concordat/protocol';
import type { LiveTransaction } from './live-transaction.js';
import type { Clock, HistoryWriter, TransactionHistory } from './ports/index.js';

/** A note is on its way for a moment: before that it is not asked for. */
const ON_ITS_WAY_MS = 1_000;
/** Asked about with one question. */
const QUESTION_MAX = 2_000;
/** Kept at most, when the history takes no notes; then the oldest are dropped. */
const KEPT_MAX = 10_000;

export class UnprovenEnds {
  /** In order of their ends. */
  private readonly kept = new Map<TransactionId, { live: LiveTransaction; since: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly historyWriter: HistoryWriter,
    /** Without one, no process reads the notes, and an end needs no proof. */
    private readonly history?: TransactionHistory,
  ) {}

  /** Takes note of an end. */
  ended(live: LiveTransaction): void {
    if (!this.history || !live.standsNowhere()) return;
    this.kept.set(live.id, { live, since: this.clock.now() });
    if (this.kept.size <= KEPT_MAX) return;
    for (const oldest of this.kept.keys()) {
      this.kept.delete(oldest);
      return;
    }
  }

  /** Whether it has ended and its end is not known to be on record. */
  has(transaction: TransactionId): boolean {
    return this.kept.has(transaction);
  }

  /**
   * Asks the history for the ends that should be there by now, drops those that are durable there and notes
   * the others again. Until none is due: as many may have ended since the last time as a coordinator commits. Rejects with
   * `RegisterUnknown`: then those that were asked about stay.
   */
  async prove(): Promise<void> {
    for (;;) {
      const asked = this.due();
      if (!this.history || asked.length === 0) return;
      this.proved(asked, new Set(await this.history.withoutEnd(asked)));
      if (asked.length < QUESTION_MAX) return;
    }
  }

  private proved(asked: readonly TransactionId[], missing: ReadonlySet<TransactionId>): void {
    for (const transaction of asked) {
      const one = this.kept.get(transaction);
      if (!one) continue;
      if (!missing.has(transaction)) {
        this.kept.delete(transaction);
        continue;
      }
      one.since = this.clock.now();
      this.historyWriter.note(one.live.view());
    }
  }

  private due(): TransactionId[] {
    const now = this.clock.now();
    const due: TransactionId[] = [];
    for (const [transaction, { since }] of this.kept) {
      if (due.length >= QUESTION_MAX) break;
      if (now - since >= ON_ITS_WAY_MS) due.push(transaction);
    }
    return due;
  }
}
