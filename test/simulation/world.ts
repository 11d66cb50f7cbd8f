/**
 * The world of one run: stores that last, nodes that come and go, a workload of transfers, a nemesis,
 * and in the end healing and a demand for progress.
 */
import type { Inquiry, StandingDecision, TransactionView } from '@concordat/engine';
import {
  decidedAt,
  formatGid,
  tokenFrom,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { OPENING_BALANCE, type Remains } from './checkers/index.js';
import { History } from './history.js';
import type { Host } from './host.js';
import type { Estate } from './house.js';
import { Nemesis } from './nemesis.js';
import {
  CoordinatorProcess,
  ParticipantProcess,
  type Service,
  type Surroundings,
  type Times,
} from './nodes.js';
import {
  drawOptions,
  withHouse,
  withLocks,
  withOnePhase,
  withOrder,
  withStrangers,
  type WorldOptions,
} from './options.js';
import { Random } from './random.js';
import { RowLocks } from './row-locks.js';
import { SeededNetwork } from './seeded-network.js';
import { HouseStore } from './simulated-house.js';
import { RegisterStore, SimulatedRegister } from './simulated-register.js';
import { DatabaseStore } from './database-store.js';
import { SimulatedResource, type Cohabitants } from './simulated-resource.js';
import { SimulatedService } from './simulated-service.js';
import { Strangers } from './strangers.js';
import { Timeline } from './timeline.js';
import { WaitTruth } from './wait-truth.js';
import { ACCOUNT, submitOne } from './workload.js';
import { transactionOf } from './checkers/checker.js';

/** Simulated milliseconds after the faults until everything must have ended. */
export const HEALING_MS = 240_000;
const HOUSE_SEED = 0x5eed_0001;
const LOCKS_SEED = 0x5eed_0003;
const BOARDS_EVERY_MS = 100;
const STRANGERS_SEED = 0x5eed_0002;
const ORDER_SEED = 0x5eed_0004;
const ONE_PHASE_SEED = 0x5eed_0005;
/** After rest, so long for evidence of manual changes to reach the register. */
const REPORTING_MS = 8_000;
/** The same where reconciliation has to find it. */
const RECONCILING_MS = 20_000;
/** With housekeeping, a transaction is looked at so often. */
const LOOKS = 20;

export interface WorldSettings {
  /** Whether the story is kept, for a person. */
  readonly isTold?: boolean;
  /** What to make of the options that the seed draws. */
  readonly adjust?: (drawn: WorldOptions) => WorldOptions;
}

export class World implements Remains {
  readonly random: Random;
  readonly options: WorldOptions;
  readonly timeline: Timeline;
  readonly history = new History();
  readonly databases = new Map<ParticipantName, DatabaseStore>();
  readonly registerStore = new RegisterStore(
    (row) => this.noteEnd(row),
    (mark) => this.noteMark(mark),
  );
  readonly house = new HouseStore();
  readonly waits = new WaitTruth(
    () => [...this.databases.values()].flatMap(({ locks }) => (locks ? [locks] : [])),
    (gid) => this.participants.some((one) => one.isUnvoted(gid)),
  );
  readonly coordinators: CoordinatorProcess[] = [];
  readonly participants: ParticipantProcess[] = [];
  readonly network: SeededNetwork;
  readonly strangers?: Strangers;
  private readonly around: Surroundings;
  private readonly nemesis: Nemesis;
  private healed = false;

  constructor(
    readonly seed: number,
    { isTold = true, adjust = (drawn) => drawn }: WorldSettings = {},
  ) {
    this.random = new Random(seed);
    const drawn = drawOptions(this.random);
    const housed = withHouse(drawn, new Random(seed ^ HOUSE_SEED));
    const ofStrangers = new Random(seed ^ STRANGERS_SEED);
    const drawnToo = withStrangers(housed, ofStrangers);
    const locking = withLocks(drawnToo, new Random(seed ^ LOCKS_SEED));
    const ordered = withOrder(locking, new Random(seed ^ ORDER_SEED));
    this.options = adjust(withOnePhase(ordered, new Random(seed ^ ONE_PHASE_SEED)));
    this.timeline = new Timeline(isTold);
    const { random, timeline, options, history } = this;
    this.network = new SeededNetwork(timeline, random, options, history);
    this.around = this.surroundings();
    for (let i = 1; i <= options.participants; i++) {
      const name = `p${i}` as ParticipantName;
      const store = new DatabaseStore(
        (gid, byHand) => this.noteApplied(name, gid, byHand),
        (gid) => this.nemesis.branchPrepared(gid),
        options.locks ? this.rowLocks() : undefined,
        (gid, kind) => this.notePruned(gid, kind),
      );
      store.balances.set(ACCOUNT, OPENING_BALANCE);
      this.databases.set(name, store);
    }
    if (options.strangers > 0) {
      const { strangers: branches, spanMs } = options;
      const names = [...this.databases.keys()];
      this.strangers = new Strangers(timeline, ofStrangers, names, { branches, spanMs });
    }
    for (let i = 1; i <= options.coordinators; i++) this.startCoordinator(`c${i}`);
    for (const name of this.databases.keys()) {
      for (let r = 1; r <= options.replicas; r++) this.startParticipant(`${name}.${r}`, name);
    }
    this.nemesis = new Nemesis(this.target(), options);
  }

  /** Whether nothing is left to do anywhere. */
  readonly atRest = (): boolean => {
    for (const { manager } of this.coordinators) if (manager.liveCount() > 0) return false;
    for (const { prepared } of this.databases.values()) {
      for (const gid of prepared.keys()) {
        if (!this.registerStore.isForgotten(transactionOf(gid))) return false;
      }
    }
    for (const row of this.registerStore.rows.values()) {
      if (row.decision === 'commit' && row.endedAtMs === undefined) return false;
    }
    for (const { transaction, endedAtMs } of this.house.noted.values()) {
      if (endedAtMs === undefined && !this.registerStore.everDecided(transaction)) return false;
    }
    return true;
  };

  async run(): Promise<void> {
    const { random, timeline, options, history } = this;
    const names = [...this.databases.keys()];
    const { coordinators, participants } = this;
    const stage = { random, timeline, options, history, names, coordinators, participants };
    for (let i = 0; i < options.transactions; i++) {
      const until = options.house ? options.spanMs * 0.9 : options.spanMs / 2;
      const at = options.locks ? inBursts(random, until) : random.between(0, until);
      timeline.at(at, () => submitOne(stage));
    }
    if (options.house || options.onePhase > 0) this.lookAround();
    if (options.locks) this.lookAtBoards();
    await timeline.play(options.spanMs);
    timeline.tell('HEALED');
    this.healed = true;
    this.house.isFrozen = true;
    this.nemesis.heal();
    const end = options.spanMs + HEALING_MS;
    await timeline.play(end, this.atRest);
    if (history.handActs.length > 0) {
      await timeline.play(timeline.now + (options.house ? RECONCILING_MS : REPORTING_MS));
      await timeline.play(end, this.atRest);
    }
    const untold = history.clients.filter(
      (one) => one.told === 'unknown' && one.turnedAwayAtMs === undefined,
    );
    history.count('unknownToClient', untold.length);
    for (const { heuristics } of this.registerStore.rows.values()) {
      history.count('heuristics', heuristics.length);
    }
  }

  private surroundings(): Surroundings {
    const { random, timeline, options, history, network } = this;
    return {
      cluster: tokenFrom(random.bytes(8)),
      ...{ timeline, random, network, history },
      times: this.times(),
      register: ({ alive, admit }) =>
        new SimulatedRegister(
          ...([this.registerStore, timeline, random, this.registerFaults] as const),
          ...([alive, admit, history] as const),
        ),
      service: (participant, host) => this.service(participant, host),
      clockRate: () => (options.clockSkew ? random.pick([0.2, 1, 5]) : 1),
      inOnePhase: () => options.onePhase > 0,
      clocksMsMax: options.clocksMsMax,
      looksByItself: true,
      ...(options.house ? { estate: this.estate() } : {}),
      ...(options.locks ? { waits: (change) => this.noteChange(change) } : {}),
      asked: (inquiry) => this.noteAsked(inquiry),
      broken: (error) => history.broken.push(error),
    };
  }

  private times(): Times {
    const { options } = this;
    // Long enough that every branch receives an abort while its owner lives. With housekeeping, what it did
    // not receive is found by its outcome rows.
    const abortNotificationMs = options.house ? 3_000 : options.manual > 0 ? 600_000 : 20_000;
    return {
      ofTransactions: { idleLeaseMs: 8_000, finishTimeoutMs: 2_000, abortNotificationMs },
      ...{ inquiryMs: 3_000, pingMs: 2_000, waitsMs: 1_000, lookMs: 500, joinMs: 1_000 },
      ...{ recovererPeriodMs: 2_000, resolverPeriodMs: 1_500, resolverGraceMs: 800 },
    };
  }

  private readonly registerFaults = () => ({
    unknown: this.unlessHealed(this.options.registerUnknown),
    delayMsMax: this.options.registerDelayMsMax,
  });

  private readonly resourceFaults = () => ({
    lostAnswer: this.unlessHealed(this.options.lostAnswer),
    refusal: this.unlessHealed(this.options.refusal),
    slow: this.unlessHealed(this.options.slow),
    slowMsMax: this.options.slowMsMax,
    delayMsMax: 5,
  });

  private unlessHealed(probability: number): number {
    return this.healed ? 0 : probability;
  }

  private service(participant: ParticipantName, { alive, admit }: Host): Service {
    const { random, timeline, history, resourceFaults } = this;
    const store = this.databases.get(participant) as DatabaseStore;
    return new SimulatedService(
      new SimulatedResource(
        ...([store, timeline, random, resourceFaults, alive, admit] as const),
        () => history.count('lostAnswers'),
        this.cohabitants(participant),
        () => history.count('recalls'),
      ),
    );
  }

  /** A transaction changed at its owner, where rows are locked. */
  private noteChange({ transaction, attempt, cause }: TransactionView): void {
    const { waits, timeline, history } = this;
    if (waits.aborted(transaction, cause, timeline.now)) history.count('deadlocks');
    const first = attempt?.first ?? transaction;
    if (waits.gaveWay(transaction, first, cause, timeline.now)) history.count('restarts');
  }

  /** The first two participants may share a database; strangers may be in any. */
  private cohabitants(participant: ParticipantName): Cohabitants {
    const [first, second] = ['p1', 'p2'] as ParticipantName[];
    const foreign = () => this.strangers?.at(participant) ?? [];
    const sharing = (one?: ParticipantName, other?: ParticipantName): readonly DatabaseStore[] => {
      const store = other && this.databases.get(other);
      return this.options.neighbours && participant === one && store ? [store] : [];
    };
    const { timeline, history } = this;
    return {
      all: () => [...foreign(), ...sharing(first, second), ...sharing(second, first)],
      // To which service of one cluster a branch belongs, its lock on an outcome table shows the service
      // itself.
      listed: foreign,
      shown: () => [...foreign(), ...sharing(first, second)],
      finished: (gid) => {
        timeline.tell(() => `${participant} FINISHES WHAT IS NOT ITS OWN: ${gid}`);
        history.trespasses.push(`${gid} was finished by ${participant}, whose it is not`);
      },
    };
  }

  private noteAsked({ transaction, branch, participant }: Inquiry): void {
    const isOfAnother = [...this.databases].some(
      ([name, store]) =>
        name !== participant &&
        store.everPrepared.has(formatGid({ cluster: this.around.cluster, transaction, branch })),
    );
    if (!isOfAnother && !this.strangers?.transactions.has(transaction)) return;
    this.history.trespasses.push(
      `branch ${branch} of ${transaction} was asked about by ${participant}, whose it is not`,
    );
  }

  private estate(): Estate {
    const { house: store, options, registerStore, registerFaults } = this;
    return {
      ...{ store, registerStore, registerFaults },
      retentionMs: options.retentionMs,
      participants: Array.from({ length: options.participants }, (_, i) => `p${i + 1}`) as never,
    };
  }

  /** People look at transactions of their own at any coordinator. */
  private lookAround(): void {
    const { random, timeline, history, options, coordinators } = this;
    for (let i = 0; i < LOOKS; i++) {
      timeline.at(random.between(0, options.spanMs), () => {
        const known = history.clients.flatMap((one) => one.transaction ?? []);
        if (known.length === 0) return;
        const [coordinator, transaction] = [random.pick(coordinators), random.pick(known)];
        coordinator.host.admit(() => {
          history.count('looks');
          coordinator.look(transaction).catch(() => undefined); // The register is away, or refuses.
        });
      });
    }
  }

  private rowLocks(): RowLocks {
    const { timeline, waits } = this;
    return new RowLocks(timeline, waits.nextId, () => waits.look(timeline.now));
  }

  /** What coordinators show of waits is held against what is so, again and again. */
  private lookAtBoards(): void {
    const { timeline, coordinators, waits } = this;
    timeline.at(BOARDS_EVERY_MS, () => {
      waits.look(timeline.now);
      for (const one of coordinators) {
        if (one.host.alive()) waits.shown(one.waits?.all() ?? [], timeline.now);
      }
      if (!this.healed) this.lookAtBoards();
    });
  }

  /** Everything that the mark passes can never be decided any more: nothing may live there. */
  private noteMark(mark: TransactionId): void {
    this.history.marks.push({ mark, at: this.timeline.now });
    for (const { manager, host, name } of this.coordinators) {
      const oldest = host.alive() ? manager.oldestLive() : undefined;
      if (oldest && oldest < mark) this.history.passed.push(`${oldest}, live at ${name}`);
    }
    for (const one of this.registerStore.unended()) {
      if (one < mark) this.history.passed.push(`${one}, whose commit has not ended`);
    }
  }

  private target() {
    const { random, timeline, history, network, databases, coordinators, participants } = this;
    return {
      ...{ random, timeline, history, network, databases, coordinators, participants },
      register: this.registerStore,
      ...(this.options.house ? { house: this.house } : {}),
      replaceCoordinator: (victim: CoordinatorProcess, downMs: number) => {
        coordinators.splice(coordinators.indexOf(victim), 1);
        timeline.at(downMs, () => this.startCoordinator(victim.name));
        if (coordinators.length === 0) this.startCoordinator(`${victim.name}x`);
      },
      replaceParticipant: (victim: ParticipantProcess, downMs: number) => {
        participants.splice(participants.indexOf(victim), 1);
        timeline.at(downMs, () => this.startParticipant(victim.name, victim.participant));
      },
    };
  }

  private noteEnd({ transaction, branches }: StandingDecision): void {
    for (const { participant } of branches) {
      for (const gid of this.databases.get(participant)?.prepared.keys() ?? []) {
        if (gid.includes(transaction)) this.history.endedEarly.push({ gid, participant });
      }
    }
  }

  private noteApplied(participant: ParticipantName, gid: string, byHand: boolean): void {
    const standing = this.registerStore.everDecided(transactionOf(gid))?.decision;
    this.history.applied.push({ gid, participant, standing, byHand });
    if (decidedAt(transactionOf(gid)) !== undefined) this.history.count('committedAlone');
  }

  private notePruned(gid: string, kind: 'branch' | 'tombstone'): void {
    const transaction = transactionOf(gid);
    if (decidedAt(transaction) === undefined) return;
    this.history.count('forgottenThere');
    if (kind === 'branch' && !this.house.hasEnded(transaction) && !this.isOnRecord(transaction)) {
      this.history.untold.push(gid);
    }
  }

  private isOnRecord(transaction: TransactionId): boolean {
    return this.registerStore.everDecided(transaction) !== undefined;
  }

  private startCoordinator(name: string): void {
    this.coordinators.push(new CoordinatorProcess(name, this.around));
  }

  private startParticipant(name: string, participant: ParticipantName): void {
    const limits = { inDoubtMax: 50, sessionsMax: this.options.sessionsMax };
    this.participants.push(new ParticipantProcess(name, participant, this.around, limits));
  }
}

/** Moments that are close to each other: what begins at them collides. */
function inBursts(random: Random, untilMs: number): number {
  return (random.between(0, BURSTS - 1) * untilMs) / BURSTS + random.between(0, BURST_MS);
}

const BURSTS = 2;
const BURST_MS = 60;
