/**
 * Nodes: one process of a coordinator or of a participant, running the shipped engine over simulated
 * ports. A crash ends the process with everything volatile; what is durable lives in the stores. A
 * pause ends nothing: the process goes on later with what it believed.
 */
import {
  BranchManager,
  DeadlockBreaker,
  HeardPrepares,
  Journal,
  Liveness,
  LostPrepares,
  Recoverer,
  OwnerWatch,
  Resolver,
  TransactionManager,
  WaitBoard,
  WaitReporter,
  WaitsWithoutSession,
  type Enlistment,
  type FinishRequest,
  type HeardReport,
  type HeuristicReport,
  type InspectedInstance,
  type Inquiry,
  type Look,
  type PrepareRequest,
  type WaitReport,
  type WorkRequest,
} from '@concordat/engine';
import {
  decidedAt,
  ownerOf,
  tokenFrom,
  type BranchId,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { ToCoordinators, ToParticipants, ToWaiting } from './channels.js';
import type { History } from './history.js';
import { Host } from './host.js';
import { House, type Estate } from './house.js';
import { KeyedRequests, type AskedToJoin } from './keyed-requests.js';
import type { Endpoint, Network } from './network.js';
import type { Random } from './random.js';
import type { RegisterFaults } from './simulated-connection.js';
import { SimulatedRegister, type RegisterStore } from './simulated-register.js';
import {
  SimulatedResource,
  type Cohabitants,
  type DatabaseStore,
  type ResourceFaults,
  type SimulatedSession,
} from './simulated-resource.js';
import { NodeClock, type Timeline } from './timeline.js';
import type { WaitTruth } from './wait-truth.js';
import { ACCOUNT } from './workload-account.js';
import { askedFrom, disbelief } from './word-of-others.js';

export interface Surroundings {
  readonly cluster: ClusterId;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: Network;
  readonly history: History;
  readonly registerStore: RegisterStore;
  readonly registerFaults: () => RegisterFaults;
  readonly resourceFaults: () => ResourceFaults;
  readonly clockRate: () => number;
  /** Whether participants commit in one phase what they are the only one of. */
  readonly inOnePhase: boolean;
  /** How long coordinators send an abort. */
  readonly abortNotificationMs: number;
  /** How far a wall clock is off at most. */
  readonly clocksMsMax: number;
  /** Branches that each instance may have at work at once. */
  readonly sessionsMax: number;
  /** In worlds with housekeeping: history, housekeeping, pruning, reconciliation. */
  readonly estate?: Estate;
  /** In worlds where rows are locked. */
  readonly waits?: WaitTruth;
  /** Who else is in a participant's database. */
  readonly others: (participant: ParticipantName) => Cohabitants;
  /** Called with every inquiry. */
  readonly asked: (inquiry: Inquiry) => void;
}

/** How often a participant forgets. */
const PRUNE_EVERY_MS = 2_000;

class NoJournal extends Journal {
  note(): void {}
}

/** A process: alive from its making to its crash. */
export abstract class Process {
  readonly host: Host;
  readonly clock: NodeClock;
  private readonly startedAt: number;

  constructor(
    readonly name: string,
    protected readonly around: Surroundings,
  ) {
    const { timeline, random } = around;
    this.startedAt = timeline.now;
    this.host = new Host(name, timeline);
    const { alive, admit } = this.host;
    const wallOffsetMs = random.between(-around.clocksMsMax, around.clocksMsMax);
    this.clock = new NodeClock(timeline, alive, around.clockRate(), wallOffsetMs, admit);
    timeline.tell(`${name} starts`);
  }

  /** Simulated milliseconds since it started. */
  get ageMs(): number {
    return this.around.timeline.now - this.startedAt;
  }

  crash(): void {
    this.host.crash();
    this.around.timeline.tell(`${this.name} CRASHES`);
  }
}

export class CoordinatorProcess extends Process {
  readonly incarnation: Incarnation;
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;
  readonly house?: House;
  readonly keyed: KeyedRequests;
  private readonly liveness: Liveness;

  constructor(name: string, around: Surroundings) {
    super(name, around);
    const { random, timeline, network, cluster, history, registerStore, registerFaults } = around;
    const { host, clock } = this;
    this.incarnation = tokenFrom(random.bytes(8));
    const { incarnation } = this;
    const register = new SimulatedRegister(
      registerStore,
      timeline,
      random,
      registerFaults,
      host.alive,
      host.admit,
      history,
    );
    const liveness = new Liveness(new ToCoordinators(host, network), incarnation);
    this.liveness = liveness;
    const house = around.estate && new House({ host, clock, incarnation, around }, around.estate);
    this.house = house;
    const told = house ? { journal: house.history.journal, history: house.history } : {};
    const channel = new ToParticipants(host, network);
    const { abortNotificationMs } = around;
    this.manager = new TransactionManager(
      { register, channel, liveness, clock, entropy: random, journal: new NoJournal(), ...told },
      {
        ...{
          incarnation,
          cluster,
          abortNotificationMs,
          idleLeaseMs: 8_000,
          finishTimeoutMs: 2_000,
        },
        inOnePhaseAt: () => around.inOnePhase,
      },
    );
    this.manager.onBroken((error) => {
      if (host.alive()) history.broken.push(error);
    });
    const ports = { register, liveness, clock };
    const desk = { host, network, history };
    this.keyed = new KeyedRequests(desk, ports, this.manager, incarnation);
    this.recoverer = new Recoverer(ports, this.manager, {
      incarnation,
      periodMs: 2_000,
      batch: 10,
    });
    const endpoint: Endpoint = { host, handle: this.handle };
    network.subscribe('coordinators', endpoint);
    network.subscribe(`coordinator/${incarnation}`, endpoint);
    this.recoverer.start();
    const { manager } = this;
    const ask = (gids: readonly string[]) =>
      network.gather<HeardReport>(host, 'instances', 'heard', gids, 500);
    new LostPrepares({ manager, clock, ask }, cluster).start();
    house?.open(this.manager, liveness);
    if (around.waits) this.followWaits(around.waits);
  }

  /** What is reported to it about waits, where rows are locked. */
  waits?: WaitBoard;

  private followWaits(truth: WaitTruth): void {
    const { host, clock, manager, incarnation } = this;
    const { network, timeline, history } = this.around;
    const board = new WaitBoard(clock, (wait) => manager.believesWait(wait));
    this.waits = board;
    const questions = new ToWaiting(host, network);
    new DeadlockBreaker({ board, questions, manager, clock }, { incarnation });
    manager.onChange(({ transaction, attempt, cause }) => {
      if (!host.alive()) return;
      if (truth.aborted(transaction, cause, timeline.now)) history.count('deadlocks');
      const first = attempt?.first ?? transaction;
      if (truth.gaveWay(transaction, first, cause, timeline.now)) history.count('restarts');
    });
  }

  /** Whether it takes requests: only once it is on the list, where there is one. */
  get isOpen(): boolean {
    return this.house?.isOpen ?? true;
  }

  /** Somebody looks here at a transaction that another coordinator owns. */
  look(transaction: TransactionId): Promise<void> {
    if (decidedAt(transaction) !== undefined) return this.lookThere(transaction);
    if (ownerOf(transaction) === this.incarnation) return Promise.resolve();
    return this.house?.look(transaction, this.manager, this.liveness) ?? Promise.resolve();
  }

  /** Sometimes an abort is wanted, whether its owner is alive or not. */
  private async lookThere(transaction: TransactionId): Promise<void> {
    const { history, random } = this.around;
    const isWanted = random.chance(0.3);
    const answer = await this.manager.inquire({
      transaction,
      ...(isWanted ? { regardless: true } : {}),
    });
    if (answer.kind !== 'decided') return;
    history.count('decidedThere');
    history.toldOfOnePhase.push({ transaction, decision: answer.decision });
  }

  override crash(): void {
    super.crash();
    this.around.history.crashedOwners.add(this.incarnation);
  }

  private readonly handle = async (type: string, message: unknown): Promise<unknown> => {
    switch (type) {
      case 'inquire':
        this.around.asked(message as Inquiry);
        return this.manager.inquire(askedFrom(message as Inquiry));
      case 'report-heuristic':
        return this.manager.recordReported(message as HeuristicReport).catch(disbelief);
      case 'enlist':
        return this.manager.enlist(message as Enlistment);
      case 'ping':
        return { alive: true };
      case 'live':
        return {
          live: this.manager.isLive((message as { transaction: TransactionId }).transaction),
        };
      case 'low-water-mark':
        if (!this.house) throw new Error('this world has no housekeeping');
        return {
          below: await this.house.list.lowWaterMark(),
          forgottenBelow: await this.house.list.forgottenBelow(),
        };
      case 'waits':
        this.waits?.report(message as WaitReport);
        return { noted: true };
      case 'join':
        return this.keyed.join(message as AskedToJoin);
      case 'waits-of':
        return this.waits?.asked(message as TransactionId[]) ?? [];
      default:
        throw new Error(`a coordinator does not know ${type}`);
    }
  };
}

export class ParticipantProcess extends Process {
  readonly manager: BranchManager<SimulatedSession>;
  readonly resolver: Resolver<SimulatedSession>;
  private readonly resource: SimulatedResource;
  private readonly waits: WaitsWithoutSession;
  private readonly instance: InstanceId;
  private readonly heard: HeardPrepares;

  constructor(
    name: string,
    readonly participant: ParticipantName,
    readonly store: DatabaseStore,
    around: Surroundings,
  ) {
    super(name, around);
    const { random, timeline, network, history, cluster, resourceFaults } = around;
    const { host, clock } = this;
    const instance: InstanceId = tokenFrom(random.bytes(8));
    this.instance = instance;
    const resource = new SimulatedResource(
      store,
      timeline,
      random,
      resourceFaults,
      host.alive,
      host.admit,
      () => history.count('lostAnswers'),
      around.others(participant),
      () => history.count('recalls'),
    );
    this.resource = resource;
    this.waits = new WaitsWithoutSession(resource, () => this.manager.room);
    this.heard = new HeardPrepares(clock, cluster);
    const coordinators = new ToCoordinators(host, network);
    const ports = { resource, coordinators, clock, entropy: random };
    const reporter =
      around.waits &&
      new WaitReporter(
        { ...ports, resource: this.waits },
        {
          participant,
          instance,
          isBusy: () => this.manager.snapshot().working > 0,
        },
      );
    this.manager = new BranchManager(
      ports,
      { cluster, participant, instance, inDoubtMax: 50, sessionsMax: around.sessionsMax },
      {
        begun: () => reporter?.nudge(),
        check: (call) => call,
        run: (session, call) => {
          const { account, delta } = call.input as { account: string; delta: number };
          return resource.operate(session, account, delta, account === ACCOUNT && delta !== 0);
        },
      },
    );
    this.resolver = new Resolver(ports, this.manager, {
      cluster,
      participant,
      periodMs: 1_500,
      graceMs: 800,
      concurrency: 4,
    });
    new OwnerWatch(ports, this.manager, { concurrency: 4 }).start();
    const endpoint: Endpoint = { host, handle: this.handle };
    network.subscribe(participant, endpoint);
    network.subscribe(`${participant}/${instance}`, endpoint);
    network.subscribe('instances', endpoint);
    this.resolver.start();
    const { estate } = around;
    if (!estate) return;
    const prune = async (): Promise<void> => {
      const answer = await coordinators.lowWaterMark();
      if (answer.kind === 'answered' && !estate.store.isFrozen) {
        await resource.prune(answer.answer, estate.retentionMs);
      }
      clock.after(PRUNE_EVERY_MS, () => void prune());
    };
    clock.after(PRUNE_EVERY_MS, () => void prune());
  }

  /** A service's own call that carries a transaction context: its work joins the transaction. */
  join(transaction: TransactionId, account: string, delta: number): Promise<number> {
    return this.manager.join(transaction, (session) =>
      this.resource.operate(session, account, delta),
    );
  }

  /** Whether a branch is at work or waits here, and has not voted. */
  isUnvoted(gid: string): boolean {
    return this.host.alive() && this.manager.unvoted().some((one) => one.gid === gid);
  }

  private async look(look: Look): Promise<InspectedInstance> {
    const { participant, instance } = this;
    const details = await this.resource.report(look, this.around.cluster);
    return { participant, instance, version: '0', details };
  }

  override crash(): void {
    super.crash();
    this.around.history.crashedParticipants.add(this.participant);
  }

  private readonly handle = (type: string, message: unknown): Promise<unknown> => {
    switch (type) {
      case 'prepare': {
        const request = message as PrepareRequest;
        this.heard.note(request.to, request.timeLeftMs);
        return this.manager.prepare(request);
      }
      case 'heard': {
        const { participant, instance } = this;
        const report = this.heard.report(message as string[]);
        return Promise.resolve({ participant, instance, ...report } satisfies HeardReport);
      }
      case 'work':
        return this.manager.work(message as WorkRequest);
      case 'finish':
        return this.manager.finish(message as FinishRequest);
      case 'waits-now': {
        const { participant } = this;
        const { cluster } = this.around;
        const branches = message as { transaction: TransactionId; branch: BranchId }[];
        return this.waits.lookAgain(branches.map((one) => ({ ...one, cluster, participant })));
      }
      case 'look':
        return this.look(message as Look);
      default:
        return Promise.reject(new Error(`a participant does not know ${type}`));
    }
  };
}
