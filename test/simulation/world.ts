/**
 * The world of one run: options drawn from the seed (a swarm: each run switches its own subset of
 * faults on), nodes, a workload of transfers, faults while it runs, then healing and a demand for
 * progress.
 */
import { Refusal, type StandingDecision, type TransactionView } from '@concordat/engine';
import { tokenFrom, type ParticipantName, type TransactionId } from '@concordat/protocol';
import { Network } from './network.js';
import { CoordinatorProcess, ParticipantProcess, type Surroundings } from './nodes.js';
import { Random } from './random.js';
import { RegisterStore } from './simulated-register.js';
import { DatabaseStore } from './simulated-resource.js';
import { Timeline } from './timeline.js';

export interface WorldOptions {
  readonly coordinators: number;
  readonly participants: number;
  readonly replicas: number;
  readonly transactions: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly zombie: number;
  readonly delayMsMax: number;
  readonly registerUnknown: number;
  readonly registerDelayMsMax: number;
  readonly lostAnswer: number;
  readonly refusal: number;
  readonly slow: number;
  readonly crashes: number;
  readonly partitions: number;
  readonly clockSkew: boolean;
  readonly interactive: number;
  readonly keyed: number;
}

/** What a client knows at the end about one of its requests. */
export interface ClientRecord {
  readonly deltas: ReadonlyMap<string, number>;
  transaction?: TransactionId;
  key?: string;
  /** `unknown` until the client was told, for ever if its coordinator died first. */
  told: 'committed' | 'aborted' | 'unknown';
  toldAt?: number;
}

/** Simulated milliseconds in which everything must have ended after healing. */
export const HEALING_MS = 240_000;
const ACCOUNT = 'money';
const OPENING_BALANCE = 1_000;

export function drawOptions(random: Random): WorldOptions {
  const maybe = (value: number) => (random.chance(0.5) ? value : 0);
  return {
    coordinators: random.between(1, 3),
    participants: random.between(2, 5),
    replicas: random.between(1, 2),
    transactions: random.between(1, 6),
    loss: maybe(0.15),
    duplicate: maybe(0.15),
    zombie: maybe(0.05),
    delayMsMax: random.pick([3, 30, 300]),
    registerUnknown: maybe(0.2),
    registerDelayMsMax: random.pick([2, 20, 400]),
    lostAnswer: maybe(0.1),
    refusal: maybe(0.05),
    slow: maybe(0.1),
    crashes: random.chance(0.7) ? random.between(1, 6) : 0,
    partitions: random.chance(0.4) ? random.between(1, 4) : 0,
    clockSkew: random.chance(0.3),
    interactive: random.pick([0, 0.3, 0.7]),
    keyed: maybe(0.4),
  };
}

export class World {
  readonly random: Random;
  readonly options: WorldOptions;
  readonly timeline = new Timeline();
  readonly databases = new Map<ParticipantName, DatabaseStore>();
  readonly registerStore = new RegisterStore((row) => this.noteEnd(row));
  /** Commits that were noted as ended while a branch of theirs was still prepared. */
  readonly endedEarly: string[] = [];
  readonly clients: ClientRecord[] = [];
  readonly broken: Error[] = [];
  private readonly network: Network;
  private readonly around: Surroundings;
  private readonly coordinators: CoordinatorProcess[] = [];
  private readonly participants: ParticipantProcess[] = [];
  private healed = false;

  constructor(
    readonly seed: number,
    options?: Partial<WorldOptions>,
  ) {
    this.random = new Random(seed);
    this.options = { ...drawOptions(this.random), ...options };
    const { random, timeline, options: drawn } = this;
    this.network = new Network(timeline, random, drawn);
    this.around = {
      cluster: tokenFrom(random.bytes(8)),
      timeline,
      random,
      network: this.network,
      registerStore: this.registerStore,
      registerFaults: () => ({
        unknown: this.healed ? 0 : drawn.registerUnknown,
        delayMsMax: drawn.registerDelayMsMax,
      }),
      resourceFaults: () => ({
        lostAnswer: this.healed ? 0 : drawn.lostAnswer,
        refusal: this.healed ? 0 : drawn.refusal,
        slow: this.healed ? 0 : drawn.slow,
        delayMsMax: 5,
      }),
      broken: (error) => this.broken.push(error),
      clockRate: () => (drawn.clockSkew ? random.pick([0.2, 1, 5]) : 1),
    };
    for (let i = 1; i <= drawn.coordinators; i++) this.startCoordinator(`c${i}`);
    for (let i = 1; i <= drawn.participants; i++) {
      const name = `p${i}` as ParticipantName;
      const store = new DatabaseStore();
      store.balances.set(ACCOUNT, OPENING_BALANCE);
      this.databases.set(name, store);
      for (let r = 1; r <= drawn.replicas; r++) this.startParticipant(`${name}.${r}`, name);
    }
  }

  /** Whether nothing is left to do anywhere. */
  readonly atRest = (): boolean => {
    for (const store of this.databases.values()) if (store.prepared.size > 0) return false;
    for (const row of this.registerStore.rows.values()) {
      if (row.decision === 'commit' && row.endedAtMs === undefined) return false;
    }
    return this.coordinators.every((one) => one.manager.liveCount() === 0);
  };

  async run(): Promise<void> {
    const { random, timeline, options } = this;
    const span = 10_000;
    for (let i = 0; i < options.transactions; i++) {
      timeline.at(random.between(0, span / 2), () => this.submit());
    }
    for (let i = 0; i < options.crashes; i++) {
      timeline.at(random.between(1, span), () => this.crashOne());
    }
    for (let i = 0; i < options.partitions; i++) {
      timeline.at(random.between(1, span), () => this.partitionOne());
    }
    await timeline.play(span);
    timeline.tell('HEALED');
    this.healed = true;
    this.network.heal();
    await timeline.play(span + HEALING_MS, this.atRest);
  }

  private noteEnd({ transaction, branches }: StandingDecision): void {
    for (const { participant } of branches) {
      for (const gid of this.databases.get(participant)?.prepared.keys() ?? []) {
        if (gid.includes(transaction)) this.endedEarly.push(`${gid} at ${participant}`);
      }
    }
  }

  private startCoordinator(name: string): void {
    this.coordinators.push(new CoordinatorProcess(name, this.around));
  }

  private startParticipant(name: string, participant: ParticipantName): void {
    const store = this.databases.get(participant) as DatabaseStore;
    this.participants.push(new ParticipantProcess(name, participant, store, this.around));
  }

  private crashOne(): void {
    const { random, timeline } = this;
    const down = random.between(1, 5_000);
    if (random.chance(0.5)) {
      const victim = random.pick(this.coordinators);
      victim.crash();
      this.coordinators.splice(this.coordinators.indexOf(victim), 1);
      timeline.at(down, () => this.startCoordinator(victim.name));
      if (this.coordinators.length === 0) this.startCoordinator(`${victim.name}x`);
    } else {
      if (this.participants.length === 0) return;
      const victim = random.pick(this.participants);
      victim.crash();
      this.participants.splice(this.participants.indexOf(victim), 1);
      timeline.at(down, () => this.startParticipant(victim.name, victim.participant));
    }
  }

  private partitionOne(): void {
    const nodes = [...this.coordinators, ...this.participants].map((one) => one.name);
    const [a, b] = [this.random.pick(nodes), this.random.pick(nodes)];
    this.network.partition(a, b);
    if (this.random.chance(0.5)) this.network.partition(b, a);
    this.timeline.tell(`PARTITION ${a} ${b}`);
    this.timeline.at(this.random.between(100, 8_000), () => {
      if (!this.healed) this.network.rejoin();
    });
  }

  /** One client: moves money between participants and notes what it was told. */
  private submit(): void {
    const { random, options } = this;
    const names = [...this.databases.keys()].sort(() => random.unit() - 0.5);
    const involved = names.slice(0, random.between(2, names.length));
    const deltas = new Map<string, number>();
    const amount = random.between(1, 20);
    involved.forEach((name, i) => deltas.set(name, i === 0 ? -amount : i === 1 ? amount : 0));
    const key = random.chance(options.keyed) ? `client:${random.between(1, 2)}` : undefined;
    const record: ClientRecord = { deltas, told: 'unknown', ...(key ? { key } : {}) };
    this.clients.push(record);
    const coordinator = random.pick(this.coordinators);
    const way = random.chance(options.interactive) ? this.interactive : this.oneCall;
    way.call(this, coordinator, record).catch((error: unknown) => {
      if (!(error instanceof Refusal)) this.broken.push(error as Error);
      else if (error.view && coordinator.alive()) this.told(coordinator, record, error.view);
    });
  }

  private async oneCall(coordinator: CoordinatorProcess, record: ClientRecord): Promise<void> {
    const branches = [...record.deltas].map(([participant, delta]) => ({
      participant: participant as ParticipantName,
      operations: [{ name: 'add', input: { account: ACCOUNT, delta } }],
    }));
    const timeoutMs = this.random.between(500, 5_000);
    const idempotency = record.key ? { key: record.key, fingerprint: 'same' } : undefined;
    const until = this.random.chance(0.5) ? 'decided' : 'completed';
    const view = await coordinator.manager.submit(
      { principal: 'client', timeoutMs, branches, ...(idempotency ? { idempotency } : {}) },
      { until, waitMs: 8_000 },
    );
    this.told(coordinator, record, view);
  }

  private async interactive(coordinator: CoordinatorProcess, record: ClientRecord): Promise<void> {
    const { manager } = coordinator;
    const timeoutMs = this.random.between(2_000, 8_000);
    const begun = manager.begin({ principal: 'client', timeoutMs });
    record.transaction = begun.transaction;
    for (const [participant, delta] of record.deltas) {
      const operation = { name: 'add', input: { account: ACCOUNT, delta } };
      await manager.work(begun.transaction, participant as ParticipantName, [operation]);
    }
    const wait = { until: 'decided', waitMs: 8_000 } as const;
    const view = this.random.chance(0.15)
      ? await manager.rollback(begun.transaction, 'changed my mind', wait)
      : await manager.commit(begun.transaction, wait);
    this.told(coordinator, record, view);
  }

  private told(coordinator: CoordinatorProcess, record: ClientRecord, view: TransactionView): void {
    record.transaction = view.transaction;
    if (!coordinator.alive() || !view.decision) return;
    record.told = view.decision === 'commit' ? 'committed' : 'aborted';
    record.toldAt = this.timeline.now;
    this.timeline.tell(`client told ${view.transaction} ${record.told}`);
  }
}
