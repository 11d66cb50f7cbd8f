/**
 * Housekeeping of a simulated coordinator: the shipped housekeeping and reconciler over the simulated
 * database, in worlds with housekeeping. A coordinator begins nothing before it is on the list.
 */
import {
  Housekeeping,
  Reconciler,
  type Liveness,
  type ReconcileReport,
  type TransactionManager,
} from '@concordat/engine';
import type { ClusterId, Incarnation, ParticipantName, TransactionId } from '@concordat/protocol';
import type { History } from './history.js';
import type { Host } from './host.js';
import type { Network } from './network.js';
import type { Random } from './random.js';
import { SimulatedConnection, type RegisterFaults } from './simulated-connection.js';
import {
  HouseStore,
  SimulatedHistory,
  SimulatedList,
  SimulatedReconciliation,
} from './simulated-house.js';
import { SimulatedInspector } from './simulated-inspection.js';
import type { RegisterStore } from './simulated-register.js';
import type { NodeClock, Timeline } from './timeline.js';

/** What the housekeepers of a world have in common. */
export interface Estate {
  readonly store: HouseStore;
  readonly registerStore: RegisterStore;
  readonly registerFaults: () => RegisterFaults;
  readonly retentionMs: number;
  readonly participants: readonly ParticipantName[];
}

/** Shorter than in the product, as everything here is. */
const TIMES = {
  heartbeatMs: 1_500,
  pruneEveryMs: 3_000,
  quietMs: 3_000,
  silentMs: 5_000,
  reconcileEveryMs: 5_000,
  graceMs: 2_000,
  openAgainMs: 400,
} as const;

/** The shipped reconciler; what its passes say is noted. */
class NotedReconciler extends Reconciler {
  constructor(
    private readonly around: HouseSite['around'],
    ...shipped: ConstructorParameters<typeof Reconciler>
  ) {
    super(...shipped);
  }

  override async pass(): Promise<ReconcileReport> {
    const { timeline, history } = this.around;
    const begunAt = timeline.now;
    const report = await super.pass();
    history.reported.push(...report.orphans);
    const participants = report.participants.filter((one) => one.upToDate);
    if (report.lastError === undefined) {
      history.compared.push({
        begunAt,
        endedAt: timeline.now,
        participants: participants.map((one) => one.participant),
        open: report.orphans.map((one) => one.gid),
      });
    }
    return report;
  }
}

export interface HouseSite {
  readonly host: Host;
  readonly clock: NodeClock;
  readonly incarnation: Incarnation;
  readonly around: {
    readonly cluster: ClusterId;
    readonly timeline: Timeline;
    readonly random: Random;
    readonly network: Network;
    readonly history: History;
  };
}

export class House {
  readonly history: SimulatedHistory;
  readonly list: SimulatedList;
  /** Whether this coordinator is on the list. */
  isOpen = false;
  readonly reconciliation: SimulatedReconciliation;

  constructor(
    private readonly site: HouseSite,
    private readonly estate: Estate,
  ) {
    const { host, clock, around } = site;
    const { timeline, random, history } = around;
    const { store, registerStore, registerFaults } = estate;
    const connection = new SimulatedConnection(
      registerStore,
      timeline,
      random,
      registerFaults,
      host.admit,
      history,
    );
    this.history = new SimulatedHistory(connection, store, registerStore, timeline, host.alive);
    this.list = new SimulatedList(connection, store, registerStore, timeline, clock);
    this.reconciliation = new SimulatedReconciliation(
      connection,
      store,
      registerStore,
      timeline,
      clock,
    );
  }

  /** Opens the coordinator once it is on the list, and does its housekeeping from then on. */
  open(manager: TransactionManager, liveness: Liveness): void {
    const { site, estate, list, history: abandoned } = this;
    const { host, clock, incarnation, around } = site;
    const { cluster, network, history } = around;
    const { heartbeatMs, pruneEveryMs, quietMs, silentMs } = TIMES;
    const { retentionMs } = estate;
    const housekeeping = new Housekeeping(
      { list, abandoned, manager, liveness, clock },
      { incarnation, heartbeatMs, pruneEveryMs, retentionMs, quietMs, silentMs },
      {
        pruned: ({ decisions }) => history.count('pruned', decisions),
        struckOff: () => history.count('struckOff'),
        failed: () => history.count('houseFailed'),
      },
    );
    const inspector = new SimulatedInspector(host, network, estate.participants);
    const reconciler = new NotedReconciler(
      around,
      { inspector, store: this.reconciliation, manager, liveness, clock },
      { cluster, incarnation, periodMs: TIMES.reconcileEveryMs, graceMs: TIMES.graceMs },
    );
    reconciler.onChange(({ recorded }) => history.count('foundByRows', recorded.length));
    const start = (): void => {
      housekeeping.start().then(
        () => {
          this.isOpen = true;
          reconciler.start();
        },
        () => clock.after(TIMES.openAgainMs, start),
      );
    };
    start();
  }

  /**
   * Somebody looks at a transaction of another owner here. What is shown as under way and is live nowhere
   * gets an abort, as the application's lookup does.
   */
  async look(
    transaction: TransactionId,
    manager: TransactionManager,
    liveness: Liveness,
  ): Promise<void> {
    if (!(await this.history.isUnderWay(transaction))) return;
    const { kind } = await liveness.atOwner(transaction);
    if (kind === 'gone' || kind === 'not-live') await manager.inquire({ transaction });
  }
}
