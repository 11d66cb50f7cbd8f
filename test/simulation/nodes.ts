/**
 * Nodes: one process of a coordinator or of a participant, running the shipped engine over simulated
 * ports. Simulation and stories run the same; what differs is in their `Surroundings`. A crash ends the process with everything volatile; what is durable lives in the stores. A
 * pause ends nothing: the process goes on later with what it believed.
 */
import {
  BranchManager,
  DeadlockBreaker,
  DecisionRegister,
  HeardPrepares,
  HistoryWriter,
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
  type InstanceReport,
  type Inquiry,
  type Look,
  type Marks,
  type OperationCall,
  type PrepareRequest,
  type Resource,
  type TransactionManagerOptions,
  type TransactionView,
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
import { ToCoordinators, ToParticipants, ToWaiting, type Patience } from './channels.js';
import type { History } from './history.js';
import { Host } from './host.js';
import { House, type Estate } from './house.js';
import { KeyedRequests, type AskedToJoin } from './keyed-requests.js';
import type { RequestKind } from './messages.js';
import type { Endpoint, Network } from './network.js';
import type { Random } from './random.js';
import type { SimulatedSession } from './simulated-resource.js';
import { NodeClock, type Timeline } from './timeline.js';
import { askedFrom, disbelief } from './word-of-others.js';

/** In milliseconds. What is absent is as shipped. */
export interface Times extends Patience {
  readonly ofTransactions: Partial<TransactionManagerOptions>;
  /** How long a coordinator waits for another's answer to a request that it joined, beyond its client's time. */
  readonly joinMs: number;
  readonly recovererPeriodMs: number;
  readonly resolverPeriodMs: number;
  readonly resolverGraceMs: number;
}

/** What a participant's service does, and the database over which it does it. */
export interface Service {
  readonly resource: Resource<SimulatedSession>;
  run(session: SimulatedSession, call: OperationCall): Promise<unknown>;
  /** What a coordinator that looks gets. */
  report(look: Look, cluster: ClusterId): Promise<InstanceReport>;
  /** Forgets what is below the marks and past retention. */
  prune(marks: Marks, retentionMs: number): Promise<void>;
}

/** What one instance of a participant may have at once. */
export interface Limits {
  readonly inDoubtMax: number;
  readonly sessionsMax: number;
  readonly closingPatienceMs?: number;
}

export interface Surroundings {
  readonly cluster: ClusterId;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: Network;
  readonly history: History;
  readonly times: Times;
  /** The register as the coordinator that runs there reaches it. */
  readonly register: (host: Host) => DecisionRegister;
  /** A participant's service as the instance that runs there has it. */
  readonly service: (participant: ParticipantName, host: Host) => Service;
  readonly clockRate: () => number;
  /** Whether participants commit in one phase what they are the only one of. */
  readonly inOnePhase: (participant: ParticipantName) => boolean;
  /** How far a wall clock is off at most. */
  readonly clocksMsMax: number;
  /** Whether processes look by themselves for lost prepares and for branches that have not voted. */
  readonly looksByItself: boolean;
  /** In worlds with housekeeping: history, housekeeping, pruning, reconciliation. */
  readonly estate?: Estate;
  /** In worlds where rows are locked: called with each change of a transaction at its owner. */
  readonly waits?: (change: TransactionView) => void;
  /** Called with every inquiry. */
  readonly asked: (inquiry: Inquiry) => void;
  /** Called with what the engine could not go on from. */
  readonly broken: (error: Error) => void;
}

/** How often a participant forgets. */
const PRUNE_EVERY_MS = 2_000;

class NoHistory extends HistoryWriter {
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
  readonly register: DecisionRegister;
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;
  readonly lost: LostPrepares;
  readonly house?: House;
  readonly keyed: KeyedRequests;
  private readonly liveness: Liveness;

  constructor(name: string, around: Surroundings) {
    super(name, around);
    const { random, network, cluster, history, times } = around;
    const { host, clock } = this;
    this.incarnation = tokenFrom(random.bytes(8));
    const { incarnation } = this;
    const register = around.register(host);
    this.register = register;
    const liveness = new Liveness(new ToCoordinators(host, network, times), incarnation);
    this.liveness = liveness;
    const house = around.estate && new House({ host, clock, incarnation, around }, around.estate);
    this.house = house;
    const told = house
      ? { historyWriter: house.history.historyWriter, history: house.history }
      : {};
    const channel = new ToParticipants(host, network);
    this.manager = new TransactionManager(
      {
        register,
        channel,
        liveness,
        clock,
        entropy: random,
        historyWriter: new NoHistory(),
        ...told,
      },
      { ...times.ofTransactions, incarnation, cluster, inOnePhaseAt: around.inOnePhase },
    );
    this.manager.onBroken((error) => {
      if (host.alive()) around.broken(error);
    });
    const ports = { register, liveness, clock };
    const desk = { host, network, history, patienceMs: times.joinMs };
    this.keyed = new KeyedRequests(desk, ports, this.manager, incarnation);
    this.recoverer = new Recoverer(ports, this.manager, {
      incarnation,
      periodMs: times.recovererPeriodMs,
      batch: 10,
    });
    const address = `coordinator/${incarnation}`;
    const endpoint: Endpoint = { host, address, handle: this.handle };
    network.subscribe('coordinators', endpoint);
    network.subscribe(address, endpoint);
    this.recoverer.start();
    const { manager } = this;
    const ask = (gids: readonly string[]) =>
      network.gather<HeardReport>(host, 'instances', 'heard', gids, times.lookMs);
    this.lost = new LostPrepares({ manager, clock, ask }, cluster);
    if (around.looksByItself) this.lost.start();
    house?.open(this.manager, liveness);
    if (around.waits) this.followWaits(around.waits);
  }

  /** What is reported to it about waits, where rows are locked. */
  waits?: WaitBoard;

  private followWaits(changed: (change: TransactionView) => void): void {
    const { host, clock, manager, incarnation } = this;
    const { network, times } = this.around;
    const board = new WaitBoard(clock, (wait) => manager.believesWait(wait));
    this.waits = board;
    const questions = new ToWaiting(host, network, times);
    new DeadlockBreaker({ board, questions, manager, clock }, { incarnation });
    manager.onChange((change) => {
      if (host.alive()) changed(change);
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

  private readonly handle = async (kind: RequestKind, message: unknown): Promise<unknown> => {
    switch (kind) {
      case 'inquire':
        this.around.asked(message as Inquiry);
        return this.manager.inquire(askedFrom(message as Inquiry));
      case 'report':
        return this.manager.recordReported(message as HeuristicReport).catch(disbelief);
      case 'enlist':
        return this.manager.enlist(message as Enlistment);
      case 'ping':
        return { alive: true };
      case 'live':
        return {
          live: this.manager.isLive((message as { transaction: TransactionId }).transaction),
        };
      case 'mark': {
        if (!this.house) throw new Error('this world has no housekeeping');
        const below = await this.house.list.lowWaterMark();
        const { participant } = message as { participant: ParticipantName };
        const forgottenBelow = await this.house.reconciliation.forgottenAt(participant);
        return { below, ...(forgottenBelow ? { forgottenBelow } : {}) };
      }
      case 'waits':
        this.waits?.report(message as WaitReport);
        return { noted: true };
      case 'join':
        return this.keyed.join(message as AskedToJoin);
      case 'waits-of':
        return this.waits?.asked(message as TransactionId[]) ?? [];
      case 'work':
      case 'prepare':
      case 'commit':
      case 'abort':
      case 'waits-now':
      case 'heard':
      case 'look':
        throw new Error(`a coordinator does not know ${kind}`);
    }
  };
}

export class ParticipantProcess extends Process {
  readonly manager: BranchManager<SimulatedSession>;
  readonly resolver: Resolver<SimulatedSession>;
  readonly owners: OwnerWatch<SimulatedSession>;
  readonly instance: InstanceId;
  private readonly service: Service;
  private readonly waits: WaitsWithoutSession;
  private readonly heard: HeardPrepares;

  constructor(
    name: string,
    readonly participant: ParticipantName,
    around: Surroundings,
    limits: Limits,
  ) {
    super(name, around);
    const { random, network, cluster, times } = around;
    const { host, clock } = this;
    const instance: InstanceId = tokenFrom(random.bytes(8));
    this.instance = instance;
    const service = around.service(participant, host);
    const { resource } = service;
    this.service = service;
    this.waits = new WaitsWithoutSession(resource, () => this.manager.room);
    this.heard = new HeardPrepares(clock, cluster);
    const coordinators = new ToCoordinators(host, network, times, participant);
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
      { cluster, participant, instance, ...limits },
      {
        begun: () => reporter?.nudge(),
        check: (call) => call,
        run: (session, call) => service.run(session, call),
      },
    );
    this.resolver = new Resolver(ports, this.manager, {
      cluster,
      participant,
      periodMs: times.resolverPeriodMs,
      graceMs: times.resolverGraceMs,
      concurrency: 4,
    });
    this.owners = new OwnerWatch(ports, this.manager, { concurrency: 4 });
    if (around.looksByItself) this.owners.start();
    const address = `${participant}/${instance}`;
    const endpoint: Endpoint = { host, address, handle: this.handle };
    network.subscribe(participant, endpoint);
    network.subscribe(address, endpoint);
    network.subscribe('instances', endpoint);
    this.resolver.start();
    const { estate } = around;
    if (!estate) return;
    const prune = async (): Promise<void> => {
      const answer = await coordinators.lowWaterMark();
      if (answer.kind === 'answered' && !estate.store.isFrozen) {
        await service.prune(answer.answer, estate.retentionMs);
      }
      clock.after(PRUNE_EVERY_MS, () => void prune());
    };
    clock.after(PRUNE_EVERY_MS, () => void prune());
  }

  /** A service's own call that carries a transaction context: its work joins the transaction. */
  join(transaction: TransactionId, call: OperationCall): Promise<unknown> {
    return this.manager.join(transaction, (session) => this.service.run(session, call));
  }

  /** Whether a branch is at work or waits here, and has not voted. */
  isUnvoted(gid: string): boolean {
    return this.host.alive() && this.manager.unvoted().some((one) => one.gid === gid);
  }

  private async look(look: Look): Promise<InspectedInstance> {
    const { participant, instance } = this;
    const details = await this.service.report(look, this.around.cluster);
    return { participant, instance, version: '0', details };
  }

  override crash(): void {
    super.crash();
    this.around.history.crashedParticipants.add(this.participant);
  }

  private readonly handle = (kind: RequestKind, message: unknown): Promise<unknown> => {
    switch (kind) {
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
      case 'commit':
      case 'abort':
        return this.manager.finish(message as FinishRequest);
      case 'waits-now': {
        const { participant } = this;
        const { cluster } = this.around;
        const branches = message as { transaction: TransactionId; branch: BranchId }[];
        return this.waits.lookAgain(branches.map((one) => ({ ...one, cluster, participant })));
      }
      case 'look':
        return this.look(message as Look);
      case 'inquire':
      case 'report':
      case 'enlist':
      case 'ping':
      case 'live':
      case 'mark':
      case 'waits':
      case 'waits-of':
      case 'join':
        return Promise.reject(new Error(`a participant does not know ${kind}`));
    }
  };
}
