/**
 * One process of a coordinator or of a participant: the shipped engine over ports that the story
 * controls. A crash ends the process with everything volatile; the register and the databases stay.
 */
import {
  BranchManager,
  CoordinatorChannel,
  DeadlockBreaker,
  HeardPrepares,
  Journal,
  KeyedBegins,
  Liveness,
  LostPrepares,
  ParticipantChannel,
  Recoverer,
  OwnerWatch,
  Resolver,
  TransactionManager,
  VoteNoError,
  WaitBoard,
  WaitQuestions,
  WaitReporter,
  WaitsWithoutSession,
  type Answer,
  type BegunRequest,
  type BranchWait,
  type Enlistment,
  type EnlistmentAnswer,
  type FinishAnswer,
  type FinishRequest,
  type HeardReport,
  type HeuristicReport,
  type IdempotencyKey,
  type Inquiry,
  type InquiryAnswer,
  type Joined,
  type KeyClaim,
  type KeyedAdmission,
  type PrepareAnswer,
  type PrepareRequest,
  type ReportAnswer,
  type StandingDecision,
  type TransactionView,
  type TransactionWaits,
  type WaitFor,
  type WaitReport,
  type WaitingBranch,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  ownerOf,
  tokenFrom,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { SimulatedSession } from '../simulation/simulated-resource.js';
import { NodeClock, type Timeline } from '../simulation/timeline.js';
import { askedFrom, disbelief } from '../simulation/word-of-others.js';
import { GatedResource, type Database } from './gated-database.js';
import { GatedRegister, type RegisterGate } from './gated-register.js';
import type { ManualNetwork, Peer, Subject } from './manual-network.js';
import type { SteadyRandom } from './steady.js';
import type { Trace } from './trace.js';
import type { RequestKind } from './wording.js';

/** What every process of a story lives in. */
export interface Surroundings {
  readonly cluster: ClusterId;
  readonly timeline: Timeline;
  readonly random: SteadyRandom;
  readonly network: ManualNetwork;
  readonly gate: RegisterGate;
  readonly trace: Trace;
  readonly broken: (error: unknown) => void;
  /** Every instance of every participant. */
  readonly instances: Subject[];
}

/** Time-outs of every story, in milliseconds; README.md repeats them. */
export const TIMES = {
  transactionTimeoutMs: 2_000,
  finishTimeoutMs: 1_000,
  idleLeaseMs: 1_500,
  abortNotificationMs: 60_000,
  afterglowMs: 2_000,
  inquiryTimeoutMs: 2_000,
  pingTimeoutMs: 1_000,
  recovererPeriodMs: 10_000,
  resolverPeriodMs: 10_000,
  resolverGraceMs: 5_000,
} as const;

class NoJournal extends Journal {
  note(): void {}
}

abstract class Process implements Peer {
  private living = true;
  readonly alive = () => this.living;

  constructor(
    /** `c1`, and after a restart `c1'`. */
    readonly label: string,
    readonly name: string,
  ) {}

  crash(): void {
    this.living = false;
  }
}

class ToParticipants extends ParticipantChannel {
  constructor(
    private readonly from: Peer,
    private readonly around: Surroundings,
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
    return this.send(request.decision, request);
  }
  assertFits(): void {}
  private send<T>(
    kind: RequestKind,
    request: WorkRequest | PrepareRequest | FinishRequest,
  ): Promise<Answer<T>> {
    const { participant, instance } = request.to;
    const { network, trace } = this.around;
    const key = instance ? `${participant}/${instance}` : participant;
    const label = instance ? trace.name(instance) : participant;
    const name = instance && !network.isThere(key) ? `the former ${label}` : label;
    return network.request<T>(this.from, { name, key }, kind, request, request.timeLeftMs);
  }
}

class ToWaiting extends WaitQuestions {
  constructor(
    private readonly from: Peer,
    private readonly around: Surroundings,
  ) {
    super();
  }
  waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>> {
    const { network, trace } = this.around;
    const to = { name: trace.name(owner), key: `coordinator/${owner}` };
    return network.request(this.from, to, 'waits-of', transactions, TIMES.pingTimeoutMs);
  }
  waitsNow(
    { participant, instance }: Pick<WaitingBranch, 'participant' | 'instance'>,
    branches: readonly Pick<WaitingBranch, 'transaction' | 'branch'>[],
  ): Promise<Answer<readonly BranchWait[]>> {
    const { network, trace } = this.around;
    const to = { name: trace.name(instance), key: `${participant}/${instance}` };
    return network.request(this.from, to, 'waits-now', branches, TIMES.pingTimeoutMs);
  }
}

class ToCoordinators extends CoordinatorChannel {
  constructor(
    private readonly from: Peer,
    private readonly around: Surroundings,
  ) {
    super();
  }
  inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>> {
    return this.ask(ANY_COORDINATOR, 'inquire', inquiry);
  }
  reportHeuristic(report: HeuristicReport): Promise<Answer<ReportAnswer>> {
    return this.ask(ANY_COORDINATOR, 'report', report);
  }
  enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>> {
    return this.ask(this.one(ownerOf(enlistment.transaction)), 'enlist', enlistment);
  }
  ping(incarnation: Incarnation): Promise<Answer<{ alive: true }>> {
    return this.ask(this.one(incarnation), 'ping', {});
  }
  isLive(owner: Incarnation, transaction: TransactionId): Promise<Answer<{ live: boolean }>> {
    return this.ask(this.one(owner), 'live', { transaction });
  }
  reportWaits(owner: Incarnation, report: WaitReport): Promise<Answer<{ noted: true }>> {
    return this.ask(this.one(owner), 'waits', report);
  }
  lowWaterMark(): Promise<Answer<{ below: TransactionId }>> {
    return this.ask(ANY_COORDINATOR, 'mark', {});
  }
  private one(incarnation: Incarnation): Subject {
    return { name: this.around.trace.name(incarnation), key: `coordinator/${incarnation}` };
  }
  private ask<T>(to: Subject, kind: RequestKind, message: unknown): Promise<Answer<T>> {
    const isAmongCoordinators = kind === 'ping' || kind === 'live';
    const timeoutMs = isAmongCoordinators ? TIMES.pingTimeoutMs : TIMES.inquiryTimeoutMs;
    return this.around.network.request<T>(this.from, to, kind, message, timeoutMs);
  }
}

/** What a client gets, in words or by the transaction. */
type KeyedAnswer = TransactionView | string;

interface AskedToJoin {
  readonly claim: KeyClaim;
  readonly wait: WaitFor;
}

/** Nothing where nothing runs under the claim. */
interface JoinAnswer {
  readonly told?: KeyedAnswer;
}

const ANY_COORDINATOR: Subject = { name: 'any coordinator', key: 'coordinators' };

export class CoordinatorProcess extends Process {
  readonly incarnation: Incarnation;
  readonly register: GatedRegister;
  readonly manager: TransactionManager;
  readonly recoverer: Recoverer;
  readonly lost: LostPrepares;
  private readonly keyed: KeyedBegins;
  private readonly waits: WaitBoard;
  private readonly around: Surroundings;

  constructor(label: string, name: string, around: Surroundings) {
    super(label, name);
    const { random, timeline, network, cluster, gate, trace } = around;
    this.incarnation = tokenFrom(random.bytes(8));
    trace.call(this.incarnation, label);
    const clock = new NodeClock(timeline, this.alive);
    const register = new GatedRegister(gate, this);
    const liveness = new Liveness(new ToCoordinators(this, around), this.incarnation);
    const channel = new ToParticipants(this, around);
    const { incarnation } = this;
    this.register = register;
    this.manager = new TransactionManager(
      { register, channel, liveness, clock, entropy: random, journal: new NoJournal() },
      {
        incarnation,
        cluster,
        timeoutMsDefault: TIMES.transactionTimeoutMs,
        finishTimeoutMs: TIMES.finishTimeoutMs,
        idleLeaseMs: TIMES.idleLeaseMs,
        abortNotificationMs: TIMES.abortNotificationMs,
        afterglowMs: TIMES.afterglowMs,
      },
    );
    this.manager.onBroken((error) => {
      if (this.alive()) around.broken(error);
    });
    const { manager } = this;
    this.waits = new WaitBoard(clock, (wait) => manager.believesWait(wait));
    const questions = new ToWaiting(this, around);
    new DeadlockBreaker({ board: this.waits, questions, manager, clock }, { incarnation });
    const ask = (gids: readonly string[]) => this.askWhoHeard(gids);
    this.lost = new LostPrepares({ manager, clock, ask }, cluster);
    this.keyed = new KeyedBegins({ register, liveness, clock }, incarnation);
    this.recoverer = new Recoverer({ register, liveness, clock }, this.manager, {
      incarnation,
      periodMs: TIMES.recovererPeriodMs,
      batch: 10,
    });
    this.around = around;
    const endpoint = { label, alive: this.alive, handle: this.handle };
    network.subscribe(ANY_COORDINATOR.key, endpoint);
    network.subscribe(`coordinator/${incarnation}`, endpoint);
    this.recoverer.start();
  }

  /** What the client of a request under a key gets, wherever it runs. */
  async admit(
    idempotency: IdempotencyKey,
    wait: WaitFor,
    begin: () => BegunRequest,
  ): Promise<KeyedAnswer> {
    const admission = await this.keyed.admit<KeyedAnswer>(idempotency, {
      claimant: () => this.manager.spareId('client'),
      begin: () => Promise.resolve(begin()),
      join: (claim) => this.askToJoin({ claim, wait }),
    });
    return admission.kind === 'elsewhere'
      ? admission.answer
      : this.keyedAnswer(admission, idempotency, wait);
  }

  private async askWhoHeard(gids: readonly string[]): Promise<readonly HeardReport[]> {
    const { network, instances } = this.around;
    const there = instances.filter(({ key }) => network.isThere(key));
    const answers = await Promise.all(
      there.map((to) => network.request<HeardReport>(this, to, 'heard', gids, TIMES.pingTimeoutMs)),
    );
    return answers.flatMap((one) => (one.kind === 'answered' ? [one.answer] : []));
  }

  private async askToJoin(asked: AskedToJoin): Promise<Joined<KeyedAnswer>> {
    const { network, trace } = this.around;
    const holder = ownerOf(asked.claim.claimant);
    const to = { name: trace.name(holder), key: `coordinator/${holder}` };
    const { waitMs } = asked.wait;
    const answer = await network.request<JoinAnswer>(this, to, 'join', asked, waitMs);
    if (answer.kind === 'no-responders') return { kind: 'gone' };
    if (answer.kind === 'no-answer') return { kind: 'unknown', why: answer.why };
    const { told } = answer.answer;
    return told === undefined ? { kind: 'over' } : { kind: 'answered', answer: told };
  }

  private async join({ claim, wait }: AskedToJoin): Promise<JoinAnswer> {
    const admission = await this.keyed.joinedBy(claim);
    return admission ? { told: await this.keyedAnswer(admission, claim, wait) } : {};
  }

  private async keyedAnswer(
    admission: KeyedAdmission,
    idempotency: IdempotencyKey,
    { until, waitMs }: WaitFor,
  ): Promise<KeyedAnswer> {
    const stored = ({ transaction, decision }: StandingDecision) =>
      `given the stored answer of ${this.around.trace.name(transaction)}: ${decision}`;
    if (admission.kind === 'stored') return stored(admission.standing);
    const { begun } = admission;
    await begun.wait(waitMs);
    const view = await this.manager.wait(begun.conclude(), until, waitMs);
    if (!view) throw new Error('its last attempt is forgotten');
    if (view.cause?.kind !== 'idempotency-key') return view;
    const holder = await this.keyed.holder(idempotency);
    return holder ? stored(holder) : view;
  }

  private readonly handle = async (kind: RequestKind, message: unknown): Promise<unknown> => {
    switch (kind) {
      case 'join':
        return this.join(message as AskedToJoin);
      case 'inquire':
        return this.manager.inquire(askedFrom(message as Inquiry));
      case 'report':
        return this.manager.recordReported(message as HeuristicReport).catch(disbelief);
      case 'enlist':
        return this.manager.enlist(message as Enlistment);
      case 'ping':
        return { alive: true };
      case 'live':
        return { live: this.manager.isLive((message as Inquiry).transaction) };
      case 'waits':
        this.waits.report(message as WaitReport);
        return { noted: true };
      case 'waits-of':
        return this.waits.asked(message as TransactionId[]);
      case 'work':
      case 'prepare':
      case 'commit':
      case 'abort':
      case 'mark':
      case 'waits-now':
      case 'heard':
        throw new Error(`a coordinator of a story does not understand ${kind}`);
    }
  };
}

/** What one instance of a participant may have at once. */
export interface Limits {
  readonly inDoubtMax: number;
  readonly sessionsMax: number;
}

export class ParticipantProcess extends Process {
  readonly manager: BranchManager<SimulatedSession>;
  readonly resolver: Resolver<SimulatedSession>;
  readonly owners: OwnerWatch<SimulatedSession>;
  private readonly resource: GatedResource;
  private readonly waits: WaitsWithoutSession;
  private readonly heard: HeardPrepares;
  private readonly instance: InstanceId;
  private readonly cluster: ClusterId;

  constructor(
    label: string,
    name: string,
    readonly participant: ParticipantName,
    readonly database: Database,
    around: Surroundings,
    limits: Limits,
  ) {
    super(label, name);
    const { random, timeline, network, cluster, trace } = around;
    const instance = tokenFrom(random.bytes(8));
    trace.call(instance, label);
    const clock = new NodeClock(timeline, this.alive);
    const resource = new GatedResource(database, this);
    this.resource = resource;
    this.cluster = cluster;
    const coordinators = new ToCoordinators(this, around);
    const ports = { resource, coordinators, clock, entropy: random };
    const isBusy = () => this.manager.snapshot().working > 0;
    this.waits = new WaitsWithoutSession(resource, () => this.manager.room);
    const looking = { ...ports, resource: this.waits };
    const reporter = new WaitReporter(looking, { participant, instance, isBusy });
    this.manager = new BranchManager(
      ports,
      { cluster, participant, instance, ...limits },
      {
        begun: () => reporter.nudge(),
        check: (call) => call,
        run: (session, call) => this.operate(session, call.name),
      },
    );
    this.resolver = new Resolver(ports, this.manager, {
      cluster,
      participant,
      periodMs: TIMES.resolverPeriodMs,
      graceMs: TIMES.resolverGraceMs,
      concurrency: 4,
    });
    this.owners = new OwnerWatch(ports, this.manager, { concurrency: 4 });
    const endpoint = { label, alive: this.alive, handle: this.handle };
    network.subscribe(participant, endpoint);
    network.subscribe(`${participant}/${instance}`, endpoint);
    around.instances.push({ name: label, key: `${participant}/${instance}` });
    this.heard = new HeardPrepares(clock, cluster);
    this.instance = instance;
    this.resolver.start();
  }

  private waitsNow(branches: readonly Pick<WaitingBranch, 'transaction' | 'branch'>[]) {
    const { participant, cluster } = this;
    return this.waits.lookAgain(branches.map((one) => ({ ...one, participant, cluster })));
  }

  /** What this service can do, by message or by direct call. */
  async operate(session: SimulatedSession, operation: string): Promise<number> {
    if (operation === 'refuse') throw new VoteNoError('OUT_OF_STOCK');
    if (operation === 'fail') throw new Error('a bug in the service');
    return this.resource.operate(session, operation);
  }

  private readonly handle = (kind: RequestKind, message: unknown): Promise<unknown> => {
    switch (kind) {
      case 'waits-now':
        return this.waitsNow(message as Pick<WaitingBranch, 'transaction' | 'branch'>[]);
      case 'heard': {
        const { participant, instance } = this;
        const report = this.heard.report(message as string[]);
        return Promise.resolve({ participant, instance, ...report } satisfies HeardReport);
      }
      case 'prepare': {
        const request = message as PrepareRequest;
        this.heard.note(request.to, request.timeLeftMs);
        return this.manager.prepare(request);
      }
      case 'work':
        return this.manager.work(message as WorkRequest);
      case 'commit':
      case 'abort':
        return this.manager.finish(message as FinishRequest);
      case 'inquire':
      case 'report':
      case 'enlist':
      case 'ping':
      case 'live':
      case 'mark':
      case 'waits':
      case 'waits-of':
      case 'join':
        return Promise.reject(new Error(`a participant does not understand ${kind}`));
    }
  };
}
