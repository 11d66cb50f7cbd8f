/**
 * What changed, for clients that watch: a bounded ring of events, each with an id after which a stream
 * resumes. Guards "no gap goes unnoticed": a client that resumes after an event that is not in the ring any
 * more, or was never recorded because no client watched, gets `reset` and asks for everything again. Changes
 * of transactions are gathered, so that a busy coordinator does not flood its clients.
 */

import type { AdminEvent } from '@concordat/api';
import type { AuditTrail } from '@concordat/decision-log';
import type { Clock, Reconciler, TransactionManager, TransactionView } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type { ParticipantsWatch } from '../../known/participants-watch.js';

export interface NumberedEvent {
  readonly number: number;
  readonly event: AdminEvent;
}

export interface EventSources {
  readonly manager: TransactionManager;
  readonly audit: AuditTrail;
  readonly watch: ParticipantsWatch;
  readonly reconciler: Reconciler;
  readonly clock: Clock;
}

const RING = 1_000;
const GATHER_MS = 500;
/** The counts of the overview move with every transaction: sent at most so often. */
const OVERVIEW_MS = 2_000;
/** Of what changed within one gathering, at most so many are named. */
const NAMED_MAX = 100;
/** A transaction that is over so quickly was on no screen. */
const QUICK_MS = 1_500;
/** Recording goes on for so long after the last watcher has gone: perhaps it comes back. */
const LINGER_MS = 60_000;
/** Another coordinator's entries of the audit are looked for so often. */
const AUDIT_EVERY_MS = 2_000;

export class AdminEvents {
  private readonly ring: NumberedEvent[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly changed = new Map<TransactionId, TransactionView>();
  private forget: (() => void)[] = [];
  private cancel: () => void = () => undefined;
  private cancelLinger: () => void = () => undefined;
  private lastNumber = 0;
  /** Nothing at or below was recorded without a gap. */
  private gap = 0;
  private isBusy = false;
  private overviewAtMs = Number.NEGATIVE_INFINITY;
  private auditAtMs = Number.NEGATIVE_INFINITY;
  private audited: number | undefined;

  constructor(private readonly sources: EventSources) {}

  /** The number of the newest event. */
  get last(): number {
    return this.lastNumber;
  }

  publish(event: AdminEvent): void {
    if (this.forget.length === 0) return; // No client watches: the next one begins with a gap.
    this.lastNumber += 1;
    this.ring.push({ number: this.lastNumber, event });
    if (this.ring.length > RING) this.ring.shift();
    for (const listener of this.listeners) listener();
  }

  /** Calls the listener when there is something new, until the returned function is called. */
  watch(listener: () => void): () => void {
    this.cancelLinger();
    this.record();
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      this.cancelLinger = this.sources.clock.after(LINGER_MS, () => this.rest());
    };
  }

  /** What came after `number`; undefined when some of it is not here. */
  after(number: number): readonly NumberedEvent[] | undefined {
    const oldest = (this.ring[0]?.number ?? this.lastNumber + 1) - 1;
    if (number < Math.max(this.gap, oldest) || number > this.lastNumber) return undefined;
    return this.ring.filter((one) => one.number > number);
  }

  /** Stops recording; no client is connected. */
  stop(): void {
    this.cancelLinger();
    this.rest();
  }

  private record(): void {
    if (this.forget.length > 0) return;
    this.lastNumber += 1; // What happened unwatched is one missing event.
    this.gap = this.lastNumber;
    const { manager, audit, watch, reconciler } = this.sources;
    this.audited = undefined;
    this.forget = [
      manager.onChange((view) => {
        this.isBusy = true;
        if (wasQuick(view)) this.changed.delete(view.transaction);
        else if (this.changed.size < NAMED_MAX || this.changed.has(view.transaction)) {
          this.changed.set(view.transaction, view);
        }
      }),
      audit.onAppended(() => this.publish({ type: 'audit' })),
      watch.onChange(() => this.publish({ type: 'participants' })),
      reconciler.onChange(() => this.publish({ type: 'orphans' })),
    ];
    this.schedule();
  }

  private rest(): void {
    this.cancel();
    for (const forget of this.forget) forget();
    this.forget = [];
    this.changed.clear();
    this.ring.length = 0;
  }

  private schedule(): void {
    this.cancel = this.sources.clock.after(GATHER_MS, () => {
      this.tell();
      void this.lookForOthers().finally(() => {
        if (this.forget.length > 0) this.schedule();
      });
    });
  }

  private tell(): void {
    const now = this.sources.clock.wallNow();
    for (const [transaction, { status, begunAtMs, endedAtMs }] of this.changed) {
      // A young one that is still open stays, and is sent once it has lasted.
      if (endedAtMs === undefined && now - begunAtMs < QUICK_MS) continue;
      this.changed.delete(transaction);
      this.publish({ type: 'transaction', transactionId: transaction, status });
    }
    if (!this.isBusy || this.sources.clock.now() - this.overviewAtMs < OVERVIEW_MS) return;
    this.isBusy = false;
    this.overviewAtMs = this.sources.clock.now();
    this.publish({ type: 'overview' });
  }

  /** Entries that another coordinator has added show in the head of the chain. */
  private async lookForOthers(): Promise<void> {
    const { audit, clock } = this.sources;
    if (clock.now() - this.auditAtMs < AUDIT_EVERY_MS) return;
    this.auditAtMs = clock.now();
    try {
      const newest = await audit.newest();
      if (this.audited !== undefined && newest > this.audited) this.publish({ type: 'audit' });
      this.audited = newest;
    } catch {
      // The register is away: the readiness of the coordinator says so, and this asks again.
    }
  }
}

function wasQuick({ begunAtMs, endedAtMs }: TransactionView): boolean {
  return endedAtMs !== undefined && endedAtMs - begunAtMs < QUICK_MS;
}
