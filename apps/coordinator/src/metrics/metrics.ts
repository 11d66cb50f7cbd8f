/**
 * Prometheus metrics of the coordinator. Guards "counted where it happens": every value is read from
 * the part that owns it at the moment of the scrape; only the decision latency is observed, because a
 * distribution cannot be read afterwards.
 */
import type { ChannelConnection } from '@concordat/channel';
import type { DecisionLog } from '@concordat/decision-log';
import type {
  Clock,
  DeadlockBreaker,
  Reconciler,
  Recoverer,
  TransactionManager,
  WaitBoard,
} from '@concordat/engine';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OrphanList } from '../admin/orphans/orphan-list.js';
import { isSeen, waitedMs, waitingBranches } from '../admin/participants/participant-resource.js';
import type { ParticipantsWatch, SeenParticipant } from '../known/participants-watch.js';
import type { CarryOut } from '../transactions/carry-out.js';
import type { Forwarder } from '../forwarding/forwarder.js';
import type { ClockDistance } from '../health/clock-distance.js';
import type { Readiness } from '../health/readiness.js';
import type { PeerRegisters } from '../peers/peer-registers.js';
import type { BodyBudget } from '../requests/body-budget.js';
import type { TimelineStream } from '../transactions/timeline-stream.js';

export interface MetricSources {
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;
  readonly log: DecisionLog;
  /** The commanding connection, and the one that answers questions. */
  readonly connections: readonly [ChannelConnection, ChannelConnection];
  readonly readiness: Readiness;
  readonly clockDistance: ClockDistance;
  readonly peers: PeerRegisters;
  readonly timelines: TimelineStream;
  readonly bodies: BodyBudget;
  readonly watch: ParticipantsWatch;
  readonly reconciler: Reconciler;
  readonly orphans: OrphanList;
  readonly forwarder: Forwarder;
  readonly carryOut: CarryOut;
  readonly waits: WaitBoard;
  readonly clock: Clock;
  readonly deadlocks: DeadlockBreaker;
}

/** Of these, what a start has opened; the rest is made by Nest. */
export type OpenedForMetrics = Omit<MetricSources, 'timelines' | 'bodies' | 'carryOut'>;
export const OPENED_FOR_METRICS = Symbol('what metrics read of what was opened');

interface Budget {
  readonly bytes: number;
  readonly bytesMax: number;
}

/** A number that is read when somebody asks. */
type Reading = number | Readonly<Record<string, number>>;

const DECISION_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class Metrics {
  private readonly registry = new Registry();

  constructor(private readonly sources: MetricSources) {
    collectDefaultMetrics({ register: this.registry });
    this.transactions();
    this.register();
    this.recovery();
    this.participants();
    this.participantWaits();
    this.waits();
    this.surroundings();
    this.budgets();
    this.forwarding();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private transactions(): void {
    const { manager } = this.sources;
    const counters = () => manager.counters();
    this.counter('transactions_begun_total', 'transactions begun here', () => counters().begun);
    this.counter(
      'transactions_ended_total',
      'transactions ended here, by outcome',
      () => {
        const { committed, aborted, heuristic } = counters();
        return { committed, aborted, heuristic };
      },
      'outcome',
    );
    this.counter(
      'transactions_read_only_total',
      'committed transactions that wrote nothing and left no decision',
      () => counters().readOnly,
    );
    this.counter(
      'transactions_one_phase_total',
      'committed transactions that their only participant committed in one phase',
      () => counters().onePhase,
    );
    this.counter(
      'transactions_tried_again_total',
      'transactions begun because the attempt before lost to others or found no capacity',
      () => counters().triedAgain,
    );
    this.counter(
      'transactions_prepared_in_order_total',
      'transactions in one call that were prepared one participant after another',
      () => counters().preparedInOrder,
    );
    this.counter(
      'transactions_restarted_in_order_total',
      'transactions that gave way without a proven cycle, to be tried again in order',
      () => counters().restartedInOrder,
    );
    this.gauge('transactions_live', 'transactions not ended, here', () => manager.liveCount());
    const latency = new Histogram({
      name: 'concordat_decision_seconds',
      help: 'from begin to decision',
      buckets: DECISION_SECONDS,
      registers: [this.registry],
    });
    manager.onDecided((durationMs) => latency.observe(durationMs / 1_000));
  }

  private register(): void {
    const { log, manager } = this.sources;
    const counters = () => log.register.counters();
    const history = () => log.historyWriter.statistics();
    this.counter('register_batches_total', 'flushes of decisions', () => counters().batches);
    this.counter('register_proposals_total', 'decisions proposed', () => counters().proposals);
    this.gauge(
      'register_largest_batch',
      'most decisions in one flush',
      () => counters().largestBatch,
    );
    this.gauge(
      'register_ended_backlog',
      'ends noted, not written yet',
      () => counters().endedBacklog,
    );
    this.counter('history_rows_total', 'history rows written', () => history().written);
    this.counter('history_dropped_total', 'history notes lost', () => history().dropped);
    this.gauge('history_pending', 'history notes in memory', () => history().pending);
    this.counter(
      'register_retries_total',
      'times the register was asked again because an answer was unknown',
      () => manager.counters().registerRetries,
    );
  }

  private recovery(): void {
    const { recoverer, log } = this.sources;
    const last = () => recoverer.lastPass();
    const attention = () => log.reader.attention();
    this.gauge('recovery_claimed', 'commits taken over, last pass', () => last()?.claimed);
    this.gauge('recovery_dead_finishers', 'finishers gone, last pass', () => last()?.dead);
    this.gauge(
      'unfinished_commits',
      'commits on record, of all coordinators, that have not ended',
      async () => (await attention()).unfinishedCommits,
    );
    this.gauge(
      'unfinished_oldest_seconds',
      'age of the oldest of them',
      async () => (await attention()).oldestUnfinishedMs / 1_000,
    );
    this.gauge(
      'heuristics_unresolved',
      'transactions with a heuristic outcome that no operator has resolved',
      async () => (await attention()).unresolvedHeuristics,
    );
  }

  /** As of their last answer, within thirty seconds; what is not known now has no number. */
  private participants(): void {
    const { watch, reconciler, orphans: list } = this.sources;
    const each = eachOf(watch);
    const about = 'participant';
    this.gauge(
      'participant_up',
      '1 while an instance answers',
      each((one) => (one.state === 'silent' ? 0 : 1)),
      about,
    );
    this.gauge(
      'participant_database_seen',
      '1 while it is known what is prepared there; the other numbers are absent otherwise',
      each((one) => (isSeen(one) ? 1 : 0)),
      about,
    );
    this.gauge(
      'participant_in_doubt',
      'branches prepared there',
      each((one) => one.inDoubt),
      about,
    );
    this.gauge(
      'participant_in_doubt_oldest_seconds',
      'age of the oldest of them',
      each(({ inDoubt, oldestMs = 0 }) => (inDoubt === undefined ? undefined : oldestMs / 1_000)),
      about,
    );
    this.gauge(
      'participant_slots_used',
      'share of the slots for prepared transactions that is taken, of its whole server',
      each(({ slots }) => (slots && slots.max > 0 ? slots.used / slots.max : undefined)),
      about,
    );
    this.gauge(
      'participant_blocked_sessions',
      'sessions that wait for what a branch holds, at work or in doubt, and branches that wait for others',
      each((one) => one.blockedSessions),
      about,
    );
    this.gauge(
      'orphans',
      'branches on which a participant and the register disagree, when last compared',
      () => {
        const { comparedAtMs, orphans } = list.report();
        return comparedAtMs === undefined ? undefined : orphans.length;
      },
    );
    this.gauge(
      'orphans_not_looked_for',
      'participants that the last comparison could not look into',
      () => {
        const { comparedAtMs, participants } = reconciler.report();
        if (comparedAtMs === undefined) return undefined;
        return participants.filter((one) => one.state !== 'compared').length;
      },
    );
  }

  /** As the other numbers of participants. */
  private participantWaits(): void {
    const each = eachOf(this.sources.watch);
    const about = 'participant';
    this.gauge(
      'participant_waiting_branches',
      'branches that wait for a lock there',
      each((one) => waitingBranches(one)?.length),
      about,
    );
    this.gauge(
      'participant_longest_wait_seconds',
      'how long the longest of them had waited',
      each((one) => {
        const waits = waitingBranches(one);
        return waits && Math.max(0, ...waits.map(waitedMs)) / 1_000;
      }),
      about,
    );
    this.gauge(
      'participant_waiting_without_session',
      'branches that wait for a lock and whose session was lent to others',
      each((one) => one.recalled),
      about,
    );
    this.gauge(
      'participant_blocked_by_others',
      'branches and sessions that wait for a session or prepared transaction that is none of ours',
      each((one) => blockedByOthers(one)),
      about,
    );
  }

  private waits(): void {
    const { waits, deadlocks } = this.sources;
    this.gauge(
      'waiting_branches',
      'branches of transactions of this coordinator that wait for a lock, as their participants report it',
      () => new Set(waits.all().map(({ transaction, branch }) => `${transaction} ${branch}`)).size,
    );
    this.gauge('longest_wait_seconds', 'how long the longest of them has waited', () => {
      const nowMs = this.sources.clock.wallNow();
      return Math.max(0, ...waits.all().map(({ sinceMs }) => nowMs - sinceMs)) / 1_000;
    });
    this.counter(
      'deadlocks_broken_total',
      'cycles of waits across databases, each broken by the abort of its youngest transaction',
      () => deadlocks.counters().broken,
    );
    this.counter(
      'deadlocks_unconfirmed_total',
      'cycles in what was reported that a second look did not find',
      () => deadlocks.counters().unconfirmed,
    );
  }

  private surroundings(): void {
    const { connections, readiness, clockDistance, peers, timelines } = this.sources;
    this.gauge('broker_connected', '1 while connected to the broker', () =>
      connections.every((one) => one.status.kind === 'connected') ? 1 : 0,
    );
    this.gauge('ready', '1 while ready', async () =>
      (await readiness.report()).status === 'ready' ? 1 : 0,
    );
    this.gauge(
      'clock_ahead_seconds',
      "how far this machine's clock is ahead of the decision database's",
      () => secondsOf(clockDistance.aheadMs()),
    );
    this.gauge(
      'other_registers',
      'coordinators of this cluster id that work on another register',
      () => peers.others().length,
    );
    this.gauge('timelines_streamed', 'event streams that are open', () => timelines.open);
    this.counter(
      'wire_incidents_total',
      'what the wire refused or noticed, by kind',
      () => total(connections.map((one) => one.incidents.snapshot())),
      'kind',
    );
  }

  private budgets(): void {
    const { manager, log, bodies } = this.sources;
    const each = (read: (one: Budget) => number) => (): Reading => ({
      live: read(manager.limitStatistics()),
      history: read(log.historyWriter.statistics()),
      bodies: read(bodies.statistics()),
    });
    this.gauge(
      'budget_bytes',
      'memory taken, by budget',
      each(({ bytes }) => bytes),
      'budget',
    );
    this.gauge(
      'budget_bytes_max',
      'memory that may be taken, by budget',
      each(({ bytesMax }) => bytesMax),
      'budget',
    );
    this.counter(
      'limit_refusals_total',
      'what was refused because of a limit, by limit',
      () => ({ ...manager.limitStatistics().refused, bodies: bodies.statistics().refused }),
      'limit',
    );
    this.counter(
      'history_stripped_total',
      'history notes that lost timeline and outputs',
      () => log.historyWriter.statistics().stripped,
    );
  }

  private forwarding(): void {
    const { forwarder, carryOut } = this.sources;
    this.counter(
      'forwards_total',
      'requests sent on to the owner of their transaction, by result',
      () => forwarder.statistics().results,
      'result',
    );
    this.gauge(
      'forwards_under_way',
      'of them, those whose answer is out',
      () => forwarder.statistics().underWay,
    );
    this.counter(
      'forwards_carried_out_total',
      'requests of clients of other coordinators, answered here',
      () => carryOut.carriedOut,
    );
    const latency = new Histogram({
      name: 'concordat_forward_seconds',
      help: 'from a request that is sent on to its result',
      buckets: DECISION_SECONDS,
      registers: [this.registry],
    });
    forwarder.onDone((durationMs) => latency.observe(durationMs / 1_000));
  }

  private gauge(
    name: string,
    help: string,
    read: () => Reading | undefined | Promise<Reading>,
    label?: string,
  ): void {
    const gauge: Gauge = new Gauge({
      name: `concordat_${name}`,
      help,
      labelNames: label ? [label] : [],
      registers: [this.registry],
      collect: async () => {
        const value = await known(read);
        if (typeof value === 'number') gauge.set(value);
        else if (value === undefined) gauge.remove(); // No number is better than an old one.
        else {
          gauge.reset();
          for (const [key, one] of Object.entries(value))
            gauge.set({ [label ?? 'kind']: key }, one);
        }
      },
    });
  }

  /** A counter whose owner counts: taken over whole at each scrape. */
  private counter(name: string, help: string, read: () => Reading, label?: string): void {
    const counter: Counter = new Counter({
      name: `concordat_${name}`,
      help,
      labelNames: label ? [label] : [],
      registers: [this.registry],
      collect: () => {
        const value = read();
        counter.reset();
        if (typeof value === 'number') counter.inc(value);
        else
          for (const [key, count] of Object.entries(value))
            counter.inc({ [label ?? 'kind']: key }, count);
      },
    });
  }
}

async function known(
  read: () => Reading | undefined | Promise<Reading>,
): Promise<Reading | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}

/** A number of each participant, left out where it is not known. */
function eachOf(watch: ParticipantsWatch) {
  return (read: (one: SeenParticipant) => number | undefined) => (): Reading =>
    Object.fromEntries(
      watch.known().flatMap((one) => {
        const value = read(one);
        return value === undefined ? [] : [[one.participant, value] as const];
      }),
    );
}

function blockedByOthers({ lockWaits }: SeenParticipant): number | undefined {
  return lockWaits?.waits.filter(({ holders }) => holders.some(({ kind }) => kind !== 'branch'))
    .length;
}

function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

/** The counts of several, added up by kind. */
function total(counts: readonly object[]): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const [kind, count] of counts.flatMap((one) => Object.entries(one) as [string, number][])) {
    sum[kind] = (sum[kind] ?? 0) + count;
  }
  return sum;
}
