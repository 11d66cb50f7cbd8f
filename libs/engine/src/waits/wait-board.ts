/**
 * What participants report of waits, at the owner of the transactions that wait. Guards "an old report
 * is never shown as the present": each report replaces the one before, a later one that was overtaken is
 * ignored, and what is not repeated is forgotten. A participant is believed of its own branches only, and
 * of so many instances.
 */
import type { InstanceId, ParticipantName, TransactionId } from '@concordat/protocol';
import type { Clock, TransactionWaits, Wait, WaitReport, WaitingBranch } from '../ports/index.js';

export interface WaitBoardOptions {
  /** How long a report counts that is not repeated. */
  readonly keepMs?: number;
  /** Of one participant, at once. */
  readonly instancesMax?: number;
}

interface Kept {
  readonly participant: ParticipantName;
  readonly sequence: number;
  readonly at: number;
  readonly waits: readonly Wait[];
}

/** Three repeats of a report. */
const KEEP_MS = 3_000;
/** Several rounds of the asking side. */
const ASKED_KEEP_MS = 500;
/** Transactions whose waits others ask about are waited for: so many are remembered. */
const ASKED_MAX = 10_000;
/** More than a participant runs: a sender of invented instances must not fill the memory. */
const INSTANCES_MAX = 256;

export class WaitBoard {
  private readonly kept = new Map<string, Kept>();
  private readonly listeners = new Set<(report: WaitReport) => void>();
  /** When others asked last what a transaction waits for. */
  private readonly askedAt = new Map<TransactionId, number>();
  private readonly askedListeners = new Set<() => void>();

  constructor(
    private readonly clock: Clock,
    private readonly believes: (wait: WaitingBranch) => boolean,
    private readonly options: WaitBoardOptions = {},
  ) {}

  /** Takes a report; false when a newer one of that instance is known, or there are too many of them. */
  report(report: WaitReport): boolean {
    this.forgetOld();
    const { participant, instance, sequence } = report;
    const key = keyOf(participant, instance);
    const before = this.kept.get(key);
    if (before && before.sequence >= sequence) return false;
    if (!before && this.instancesOf(participant) >= this.instancesMax) return false;
    const heardAtMs = this.clock.wallNow();
    const since = new Map(before?.waits.map(({ id, sinceMs }) => [id, sinceMs]));
    const waits = report.waits
      .map((wait): Wait => {
        const sinceMs = since.get(wait.id) ?? heardAtMs - wait.waitingMs;
        return { ...wait, participant, instance, sinceMs, heardAtMs };
      })
      .filter((wait) => this.believes(wait));
    this.kept.set(key, { participant, sequence, at: this.clock.now(), waits });
    for (const listener of this.listeners) listener({ ...report, waits });
    return true;
  }

  /** Calls the listener with each report, without what was not believed. */
  onReport(listener: (report: WaitReport) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** All waits that were reported here, of transactions that are undecided, and were not taken back. */
  all(): Wait[] {
    this.forgetOld();
    return [...this.kept.values()].flatMap((one) =>
      one.waits.filter((wait) => this.believes(wait)),
    );
  }

  /** What this transaction's branches wait for. */
  of(transaction: TransactionId): Wait[] {
    return this.all().filter((wait) => wait.transaction === transaction);
  }

  /** The same of several, those left out that wait for nothing. */
  ofAll(transactions: readonly TransactionId[]): TransactionWaits[] {
    const asked = new Set(transactions);
    const found = new Map<TransactionId, Wait[]>();
    for (const wait of this.all()) {
      if (!asked.has(wait.transaction)) continue;
      found.set(wait.transaction, [...(found.get(wait.transaction) ?? []), wait]);
    }
    return [...found].map(([transaction, waits]) => ({ transaction, waits }));
  }

  /** The same for another coordinator: it asks about transactions that others wait for. */
  asked(transactions: readonly TransactionId[]): TransactionWaits[] {
    const now = this.clock.now();
    for (const one of transactions) {
      if (this.askedAt.size < ASKED_MAX || this.askedAt.has(one)) this.askedAt.set(one, now);
    }
    for (const listener of this.askedListeners) listener();
    return this.ofAll(transactions);
  }

  /** Calls the listener each time another coordinator asks. */
  onAsked(listener: () => void): () => void {
    this.askedListeners.add(listener);
    return () => this.askedListeners.delete(listener);
  }

  /** Transactions about which other coordinators have just asked. */
  askedAbout(): Set<TransactionId> {
    this.forgetOld();
    return new Set(this.askedAt.keys());
  }

  private get instancesMax(): number {
    return this.options.instancesMax ?? INSTANCES_MAX;
  }

  private instancesOf(participant: ParticipantName): number {
    return [...this.kept.values()].filter((one) => one.participant === participant).length;
  }

  private forgetOld(): void {
    const { keepMs = KEEP_MS } = this.options;
    for (const [key, { at }] of this.kept) {
      if (this.clock.now() - at > keepMs) this.kept.delete(key);
    }
    for (const [transaction, at] of this.askedAt) {
      if (this.clock.now() - at > ASKED_KEEP_MS) this.askedAt.delete(transaction);
    }
  }
}

const keyOf = (participant: ParticipantName, instance: InstanceId): string =>
  `${participant}.${instance}`;
