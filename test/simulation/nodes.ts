/**
 * Nodes: one process of a coordinator or of a participant, running the shipped engine over simulated
 * ports. A crash ends the process with everything volatile; what is durable lives in the stores.
 */
import {
  BranchManager,
  CoordinatorChannel,
  Journal,
  ParticipantChannel,
  Recoverer,
  Resolver,
  TransactionManager,
  type Answer,
  type Enlistment,
  type EnlistmentAnswer,
  type FinishAnswer,
  type FinishRequest,
  type HeuristicReport,
  type Inquiry,
  type InquiryAnswer,
  type PrepareAnswer,
  type PrepareRequest,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  tokenFrom,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Endpoint, Network } from './network.js';
import type { Random } from './random.js';
import {
  SimulatedRegister,
  type RegisterFaults,
  type RegisterStore,
} from './simulated-register.js';
import {
  SimulatedResource,
  type DatabaseStore,
  type ResourceFaults,
  type SimulatedSession,
} from './simulated-resource.js';
import { NodeClock, type Timeline } from './timeline.js';

export interface Surroundings {
  readonly cluster: ClusterId;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: Network;
  readonly registerStore: RegisterStore;
  readonly registerFaults: () => RegisterFaults;
  readonly resourceFaults: () => ResourceFaults;
  readonly broken: (error: Error) => void;
  readonly clockRate: () => number;
}

class NoJournal extends Journal {
  note(): void {}
}

/** A process: alive from its making to its crash. */
abstract class Process {
  protected living = true;
  readonly alive = () => this.living;
  protected readonly clock: NodeClock;

  constructor(
    readonly name: string,
    protected readonly around: Surroundings,
  ) {
    const { timeline, random } = around;
    const wallOffsetMs = random.between(-3_600_000, 3_600_000);
    this.clock = new NodeClock(timeline, this.alive, around.clockRate(), wallOffsetMs);
    timeline.tell(`${name} starts`);
  }

  crash(): void {
    this.living = false;
    this.around.timeline.tell(`${this.name} CRASHES`);
  }
}

class ToParticipants extends ParticipantChannel {
  constructor(
    private readonly from: { node: string; alive: () => boolean },
    private readonly network: Network,
  ) {
    super();
  }
  work(request: WorkRequest): Promise<Answer<WorkAnswer>> {
    return this.send('work', request);
  }
  prepare(request: PrepareRequest): Promise<Answer<PrepareAnswer>> {
    return this.send('prepare', request);
  }
  finish(request: FinishRequest): Promise<Answer<FinishAnswer>> {
    return this.send('finish', request);
  }
  assertFits(): void {}
  private send<T>(
    type: string,
    request: WorkRequest | PrepareRequest | FinishRequest,
  ): Promise<Answer<T>> {
    const { participant, instance } = request.to;
    const subject = instance ? `${participant}/${instance}` : participant;
    return this.network.request<T>(this.from, subject, type, request, request.timeLeftMs);
  }
}

class ToCoordinators extends CoordinatorChannel {
  constructor(
    private readonly from: { node: string; alive: () => boolean },
    private readonly network: Network,
  ) {
    super();
  }
  inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>> {
    return this.network.request(this.from, 'coordinators', 'inquire', inquiry, 3_000);
  }
  reportHeuristic(report: HeuristicReport): Promise<Answer<{ recorded: true }>> {
    return this.network.request(this.from, 'coordinators', 'report-heuristic', report, 3_000);
  }
  enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>> {
    const subject = `coordinator/${enlistment.transaction.slice(27)}`;
    return this.network.request(this.from, subject, 'enlist', enlistment, 3_000);
  }
  ping(incarnation: Incarnation): Promise<Answer<{ alive: true }>> {
    return this.network.request(this.from, `coordinator/${incarnation}`, 'ping', {}, 2_000);
  }
  isLive(owner: Incarnation, transaction: TransactionId): Promise<Answer<{ live: boolean }>> {
    const subject = `coordinator/${owner}`;
    return this.network.request(this.from, subject, 'live', { transaction }, 2_000);
  }
  lowWaterMark(): Promise<Answer<{ below: TransactionId }>> {
    return this.network.request(this.from, 'coordinators', 'low-water-mark', {}, 2_000);
  }
}

export class CoordinatorProcess extends Process {
  readonly incarnation: Incarnation;
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;

  constructor(name: string, around: Surroundings) {
    super(name, around);
    const { random, timeline, network, cluster, registerStore, registerFaults } = around;
    this.incarnation = tokenFrom(random.bytes(8));
    const from = { node: name, alive: this.alive };
    const register = new SimulatedRegister(
      registerStore,
      timeline,
      random,
      registerFaults,
      this.alive,
    );
    const coordinators = new ToCoordinators(from, network);
    const channel = new ToParticipants(from, network);
    const { clock, incarnation } = this;
    this.manager = new TransactionManager(
      { register, channel, coordinators, clock, entropy: random, journal: new NoJournal() },
      { incarnation, cluster, abortCourtesyMs: 20_000, idleLeaseMs: 8_000, finishTimeoutMs: 2_000 },
    );
    this.manager.onBroken((error) => {
      if (this.alive()) around.broken(error);
    });
    this.recoverer = new Recoverer({ register, coordinators, clock }, this.manager, {
      incarnation,
      periodMs: 2_000,
      batch: 10,
    });
    const endpoint: Endpoint = { node: name, alive: this.alive, handle: this.handle };
    network.subscribe('coordinators', endpoint);
    network.subscribe(`coordinator/${incarnation}`, endpoint);
    this.recoverer.start();
  }

  private readonly handle = async (type: string, message: unknown): Promise<unknown> => {
    switch (type) {
      case 'inquire':
        return this.manager.inquire(message as Inquiry);
      case 'report-heuristic':
        return this.manager.recordReported(message as HeuristicReport);
      case 'enlist':
        return this.manager.enlist(message as Enlistment);
      case 'ping':
        return { alive: true };
      case 'live':
        return {
          live: this.manager.isLive((message as { transaction: TransactionId }).transaction),
        };
      default:
        throw new Error(`a coordinator does not know ${type}`);
    }
  };
}

export class ParticipantProcess extends Process {
  readonly manager: BranchManager<SimulatedSession>;
  readonly resolver: Resolver<SimulatedSession>;

  constructor(
    name: string,
    readonly participant: ParticipantName,
    readonly store: DatabaseStore,
    around: Surroundings,
  ) {
    super(name, around);
    const { random, timeline, network, cluster, resourceFaults } = around;
    const instance = tokenFrom(random.bytes(8));
    const resource = new SimulatedResource(store, timeline, random, resourceFaults, this.alive);
    const coordinators = new ToCoordinators({ node: name, alive: this.alive }, network);
    const ports = { resource, coordinators, clock: this.clock, entropy: random };
    this.manager = new BranchManager(
      ports,
      { cluster, participant, instance, inDoubtMax: 50, sessionsMax: 50 },
      {
        check: (call) => call,
        run: (session, call) => {
          const { account, delta } = call.input as { account: string; delta: number };
          return resource.operate(session, account, delta);
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
    const endpoint: Endpoint = { node: name, alive: this.alive, handle: this.handle };
    network.subscribe(participant, endpoint);
    network.subscribe(`${participant}/${instance}`, endpoint);
    this.resolver.start();
  }

  private readonly handle = (type: string, message: unknown): Promise<unknown> => {
    switch (type) {
      case 'prepare':
        return this.manager.prepare(message as PrepareRequest);
      case 'work':
        return this.manager.work(message as WorkRequest);
      case 'finish':
        return this.manager.finish(message as FinishRequest);
      default:
        return Promise.reject(new Error(`a participant does not know ${type}`));
    }
  };
}
