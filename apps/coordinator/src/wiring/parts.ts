/**
 * The parts of a coordinator, opened in the order in which they need each other: decision database,
 * broker, engine, loops. Guards "the engine knows only ports": this is where the real ones are put
 * in. A failure half-way closes what was opened before.
 */
import {
  connectChannel,
  NatsCoordinatorChannel,
  NatsParticipantChannel,
  NatsWaitQuestions,
  SharedTimersClock,
  SystemClock,
  SystemEntropy,
  type ChannelConnection,
  type ChannelIncident,
} from '@concordat/channel';
import { openDecisionLog, RegisterClock, type DecisionLog } from '@concordat/decision-log';
import {
  DeadlockBreaker,
  Housekeeping,
  Liveness,
  LostPrepares,
  OrphanSettler,
  Reconciler,
  Recoverer,
  TransactionManager,
  type TransactionManagerOptions,
  WaitBoard,
  WaitQuestions,
  type Clock,
  type Entropy,
} from '@concordat/engine';
import { tokenFrom, type Incarnation, type ParticipantName } from '@concordat/protocol';
import { Logger } from '@nestjs/common';
import { AdminEvents } from '../admin/events/admin-events.js';
import { Pulse } from '../admin/overview/pulse.js';
import { ParticipantsWatch } from '../known/participants-watch.js';
import type { CoordinatorConfig } from '../platform/coordinator.config.js';
import { OrphanList } from '../admin/orphans/orphan-list.js';
import { Forwarder } from '../forwarding/forwarder.js';
import { ClockDistance } from '../health/clock-distance.js';
import { Probe, Readiness } from '../health/readiness.js';
import { housekeepingLog } from './housekeeping-log.js';
import { PeerRegisters } from '../peers/peer-registers.js';
import { RegisterComparison } from '../peers/register-comparison.js';
import { Identity } from '../platform/identity.js';
import { untilDatabaseAnswers } from './start-wait.js';

export interface CoordinatorParts {
  readonly identity: Identity;
  readonly log: DecisionLog;
  /** Commands to participants. */
  readonly commands: ChannelConnection;
  /** Answers questions of others: must not publish commands where the broker distinguishes users. */
  readonly questions: ChannelConnection;
  readonly channel: NatsParticipantChannel;
  readonly liveness: Liveness;
  readonly forwarder: Forwarder;
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;
  readonly reconciler: Reconciler;
  readonly orphans: OrphanList;
  readonly orphanSettler: OrphanSettler;
  readonly lostPrepares: LostPrepares;
  readonly housekeeping: Housekeeping;
  readonly readiness: Readiness;
  readonly clockDistance: ClockDistance;
  readonly peers: PeerRegisters;
  readonly comparison: RegisterComparison;
  readonly probes: readonly Probe[];
  readonly watch: ParticipantsWatch;
  /** What branches of this coordinator's transactions wait for. */
  readonly waits: WaitBoard;
  readonly deadlocks: DeadlockBreaker;
  readonly waitQuestions: WaitQuestions;
  readonly pulse: Pulse;
  readonly events: AdminEvents;
}

type Opened = Pick<CoordinatorParts, 'log' | 'commands' | 'questions' | 'clockDistance' | 'peers'>;

const RECOVERY_BATCH = 500;
/** Branches are given one and a half periods to be finished in the usual ways before they are orphans. */
const GRACE_IN_PERIODS = 1.5;
const HEARTBEAT_MS = 2_000;
const PRUNE_EVERY_MS = 60_000;
/** Some beats: a coordinator that lives and could not say so is found by asking it. */
const QUIET_MS = 5_000;
const SILENT_MS = 30_000;
/** Some heartbeats: who wrote one within so long should be there, and is asked by name. */
const RECENT_MS = 10_000;

export async function openParts(config: CoordinatorConfig): Promise<CoordinatorParts> {
  // Everything that this process writes or compares with an id is of the register's time.
  const clock = new RegisterClock(new SharedTimersClock(new SystemClock()));
  const clockDistance = new ClockDistance(clock, config.clockBoundMs, new Logger('Readiness'));
  const peers = new PeerRegisters(new Logger('Peers'));
  const entropy = new SystemEntropy();
  const incarnation: Incarnation = tokenFrom(entropy.bytes(8));
  const { databaseUrl: url, poolSize: poolMax, startWaitMs } = config;
  const log = await untilDatabaseAnswers(clock, startWaitMs, () =>
    openDecisionLog({
      url,
      poolMax,
      principals: config.keys.map(({ id }) => id),
      clock,
      time: clock,
      historyBytesMax: config.historyBytesMax,
      mayForget: () => clockDistance.fault(),
      mayAnswer: () => peers.fault(),
    }),
  );
  try {
    const commands = await connect(
      config,
      config.natsUrl,
      `commands ${incarnation}`,
      clock,
      entropy,
    );
    try {
      const questions = await connect(
        config,
        config.natsQuestionsUrl,
        `questions ${incarnation}`,
        clock,
        entropy,
      );
      const identity = new Identity(log.clusterId, incarnation, clock);
      return assemble(config, identity, entropy, {
        ...{ log, commands, questions, clockDistance, peers },
      });
    } catch (error) {
      await commands.close();
      throw error;
    }
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** How often databases are compared with the register, and when what is prepared there is an orphan. */
function comparing({ comparePeriodMs: periodMs }: CoordinatorConfig) {
  return { periodMs, graceMs: GRACE_IN_PERIODS * periodMs };
}

/** How much the manager takes on, and how it commits. */
function managing(
  config: CoordinatorConfig,
  watch: () => ParticipantsWatch,
): Partial<TransactionManagerOptions> {
  const inOnePhaseAt = (participant: ParticipantName): boolean =>
    config.isOnePhaseEnabled && watch().knowsOnePhase(participant);
  return { ...limitsOf(config), ...sharesOf(config), inOnePhaseAt };
}

function assemble(
  config: CoordinatorConfig,
  identity: Identity,
  entropy: Entropy,
  opened: Opened,
): CoordinatorParts {
  const { cluster, incarnation, clock } = identity;
  const { log, commands, clockDistance, peers } = opened;
  const { register, historyWriter, history, reader, marks } = log;
  const channel = new NatsParticipantChannel(commands, {
    cluster,
    incarnation,
    onAnswered: (participant) => watch.answered(participant),
  });
  const asker = { coordinator: incarnation };
  const coordinators = new NatsCoordinatorChannel(commands, { cluster, asker });
  const liveness = new Liveness(coordinators, incarnation);
  const manager = new TransactionManager(
    { register, channel, liveness, historyWriter, history, marks, clock, entropy },
    { incarnation, cluster, ...managing(config, () => watch) },
  );
  const recoverer = new Recoverer({ register, liveness, clock }, manager, {
    incarnation,
    periodMs: config.recoveryPeriodMs,
    batch: RECOVERY_BATCH,
    liveMax: config.liveMax,
  });
  const reconciler = new Reconciler(
    { inspector: channel, store: log.reconciliation, manager, liveness, clock },
    { cluster, incarnation, ...comparing(config) },
  );
  const housekeeping = new Housekeeping(
    { list: register, abandoned: reader, manager, liveness, clock },
    {
      incarnation,
      heartbeatMs: HEARTBEAT_MS,
      pruneEveryMs: PRUNE_EVERY_MS,
      retentionMs: config.retentionMs,
      historyMs: config.historyRetentionMs,
      quietMs: QUIET_MS,
      silentMs: SILENT_MS,
    },
    housekeepingLog(),
  );
  const watch = new ParticipantsWatch(channel, clock, log.participants);
  const probes = probesOf(opened, clock);
  return {
    identity,
    ...opened,
    channel,
    liveness,
    forwarder: new Forwarder(coordinators, liveness, identity),
    manager,
    recoverer,
    reconciler,
    orphans: new OrphanList(reconciler),
    orphanSettler: new OrphanSettler({ manager, channel }, { incarnation }),
    housekeeping,
    comparison: new RegisterComparison(
      { register, coordinators, peers, clock },
      { incarnation, periodMs: HEARTBEAT_MS, recentMs: RECENT_MS },
    ),
    readiness: new Readiness([...probes, clockDistance, peers]),
    probes,
    watch,
    ...followBranches(identity, manager, { coordinators, channel }),
    events: new AdminEvents({ manager, audit: log.audit, watch, reconciler, clock }),
    pulse: new Pulse(manager, clock),
  };
}

/** What looks after branches at work: what they wait for, and whether they were asked for their vote at all. */
function followBranches(
  { cluster, incarnation, clock }: Identity,
  manager: TransactionManager,
  {
    coordinators,
    channel,
  }: { readonly coordinators: NatsCoordinatorChannel; readonly channel: NatsParticipantChannel },
): Pick<CoordinatorParts, 'waits' | 'deadlocks' | 'waitQuestions' | 'lostPrepares'> {
  const waits = new WaitBoard(clock, (wait) => manager.believesWait(wait));
  const questions = new NatsWaitQuestions(coordinators, channel);
  const deadlocks = new DeadlockBreaker(
    { board: waits, questions, manager, clock },
    { incarnation },
  );
  const ask = (gids: readonly string[]) => channel.whoHeard(gids);
  const lostPrepares = new LostPrepares({ manager, clock, ask }, cluster);
  return { waits, waitQuestions: questions, deadlocks, lostPrepares };
}

function limitsOf(config: CoordinatorConfig) {
  const { liveMax, branchesMax, timeoutMsDefault, timeoutMsMax, idleLeaseMs } = config;
  return { liveMax, branchesMax, timeoutMsDefault, timeoutMsMax, idleLeaseMs };
}

/** What all together and one key may begin and hold; one key never has more than half of the memory. */
function sharesOf(config: CoordinatorConfig) {
  const { liveBytesMax, liveMaxPerKey, beginsPerSecondPerKey } = config;
  return {
    liveBytesMax,
    liveBytesMaxPerPrincipal: Math.ceil(liveBytesMax / 2),
    liveMaxPerPrincipal: liveMaxPerKey,
    // Twice at once: clients come in bursts, and the second after one is a calm one.
    beginsPerPrincipal: { burst: 2 * beginsPerSecondPerKey, perSecond: beginsPerSecondPerKey },
  };
}

function probesOf({ log, commands, questions, clockDistance }: Opened, clock: Clock): Probe[] {
  const logger = new Logger('Readiness');
  const register = new Probe(
    'register',
    'register-unavailable',
    async () => {
      const { ready, problems, server } = await log.health();
      clockDistance.known(); // What has changed is logged, also while no request asks.
      if (!ready) throw new Error(problems.join('; '));
      return server;
    },
    clock,
    logger,
  );
  const broker = new Probe(
    'broker',
    'broker-unavailable',
    async () => {
      const why = commands.unusable ?? questions.unusable;
      if (why !== undefined) throw new Error(why);
      return `nats-server ${commands.serverVersion ?? 'of unknown version'}`;
    },
    clock,
    logger,
  );
  // The broker's state is pushed: a request that comes a moment after the loss is refused already.
  for (const connection of [commands, questions]) connection.onStatus(() => void broker.probe());
  return [register, broker];
}

function connect(
  config: CoordinatorConfig,
  url: string,
  purpose: string,
  clock: Clock,
  entropy: Entropy,
): Promise<ChannelConnection> {
  const logger = new Logger('Wire');
  let toldWaiting = false;
  return connectChannel({
    servers: url.split(',').map((one) => one.trim()),
    setting: url === config.natsUrl ? 'NATS_URL' : 'NATS_QUESTIONS_URL',
    name: `concordat coordinator ${purpose}`,
    firstConnectMs: config.startWaitMs,
    clock,
    entropy,
    onWaiting: (why) => {
      if (!toldWaiting) logger.warn(`waiting for the broker: ${why}`);
      toldWaiting = true;
    },
    onIncident: (incident) => {
      const { kind, subject } = incident;
      const why = detailOf(incident);
      // A late answer is everyday life; the others somebody should see.
      if (kind === 'unawaited-answer') logger.debug(`${kind} on ${subject}`);
      else logger.warn(`${kind} on ${subject}${why}`);
    },
  });
}

function detailOf(incident: ChannelIncident): string {
  if (incident.kind === 'handler-failed') return `: ${String(incident.error)}`;
  return 'reason' in incident ? `: ${incident.reason}` : '';
}
