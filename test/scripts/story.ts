/**
 * The world of one story: coordinators, participants, their databases, one register and one network,
 * and the clients who wait for answers. Everything exists from its first mention on.
 */
import { Refusal, type TransactionView } from '@concordat/engine';
import { tokenFrom, type ParticipantName, type TransactionId } from '@concordat/protocol';
import { History } from '../simulation/history.js';
import {
  CoordinatorProcess,
  ParticipantProcess,
  type Limits,
  type Surroundings,
} from '../simulation/nodes.js';
import { RegisterStore } from '../simulation/simulated-register.js';
import { Database } from './gated-database.js';
import { GatedRegister, RegisterGate } from './gated-register.js';
import { ManualNetwork } from './manual-network.js';
import { SteadyRandom, SteadyTimeline } from './steady.js';
import { StoryService } from './story-service.js';
import { STORY_TIMES } from './times.js';
import { Trace } from './trace.js';
import { Watch } from './watch.js';
import { viewText } from './wording.js';

const IN_DOUBT_MAX = 50;
const SESSIONS_MAX = 50;

export class Story {
  readonly timeline = new SteadyTimeline(false);
  readonly trace = new Trace(this.timeline);
  readonly databases = new Map<string, Database>();
  readonly gate: RegisterGate;
  readonly network: ManualNetwork;
  private readonly watch: Watch;
  private readonly around: Surroundings;
  private readonly random = new SteadyRandom(1);
  private readonly coordinators = new Map<string, CoordinatorProcess>();
  private readonly participants = new Map<string, ParticipantProcess>();
  private readonly starts = new Map<string, number>();
  private readonly statuses = new Map<string, string>();
  private readonly homes = new Map<string, string>();
  private readonly clients = new Set<{ readonly of: string; readonly at: CoordinatorProcess }>();
  /** Participants that commit in one phase what they are alone in. */
  private readonly inOnePhase = new Set<ParticipantName>();
  /** What the next transaction that appears is called. */
  private naming?: string;

  constructor() {
    const { timeline, trace, random } = this;
    const register = new RegisterStore();
    this.watch = new Watch(register, this.databases, trace);
    this.gate = new RegisterGate(register, timeline, random, trace);
    this.network = new ManualNetwork(timeline, trace, this.watch);
    this.around = {
      cluster: tokenFrom(random.bytes(8)),
      ...{ timeline, random, network: this.network, history: new History() },
      times: STORY_TIMES,
      register: (host) => new GatedRegister(this.gate, host),
      service: (participant, host) => new StoryService(this.database(participant), host),
      clockRate: () => 1,
      inOnePhase: (participant) => this.inOnePhase.has(participant),
      clocksMsMax: 0,
      looksByItself: false,
      waits: () => undefined,
      asked: () => undefined,
      broken: (error) => this.watch.failed(error),
    };
    trace.look = () => this.look();
  }

  /** What was wrong so far, whatever the expected trace says. */
  complaints(): string[] {
    return this.watch.check();
  }

  /** Something threw that must not throw: the story fails with it. */
  failed(error: unknown): void {
    this.watch.failed(error);
  }

  /** Lets everything happen that needs no more time. */
  async settle(): Promise<void> {
    await this.play(0);
  }

  async play(ms: number): Promise<void> {
    await this.timeline.play(this.timeline.now + ms, () => {
      this.look();
      return false;
    });
    this.look();
  }

  coordinator(name: string): CoordinatorProcess {
    return this.coordinators.get(name) ?? this.startCoordinator(name);
  }

  /** `inventory`, or another instance of it: `inventory.2`. */
  participant(name: string): ParticipantProcess {
    return this.participants.get(name) ?? this.startParticipant(name);
  }

  /** From now on a participant is asked to commit in one phase what it is alone in. */
  commitsInOnePhase(name: string): void {
    this.participant(name);
    this.inOnePhase.add(name as ParticipantName);
  }

  startCoordinator(name: string): CoordinatorProcess {
    const process = new CoordinatorProcess(this.label(name), this.around);
    this.trace.call(process.incarnation, process.name);
    this.coordinators.set(name, process);
    return process;
  }

  startParticipant(
    name: string,
    { inDoubtMax = IN_DOUBT_MAX, sessionsMax = SESSIONS_MAX }: Partial<Limits> = {},
  ): ParticipantProcess {
    const participant = name.replace(/\.\d+$/, '') as ParticipantName;
    const limits = { inDoubtMax, sessionsMax };
    const label = this.label(name);
    const process = new ParticipantProcess(label, participant, this.around, limits);
    this.trace.call(process.instance, process.name);
    this.participants.set(name, process);
    return process;
  }

  database(name: string): Database {
    const { timeline, random, trace } = this;
    const known = this.databases.get(name);
    if (known) return known;
    const made = new Database(name, timeline, random, trace);
    this.databases.set(name, made);
    return made;
  }

  /** A coordinator is `c` and a number; everything else is a participant. */
  isCoordinator(name: string): boolean {
    return /^c\d+$/.test(name);
  }

  crash(name: string): void {
    const process = this.isCoordinator(name) ? this.coordinator(name) : this.participant(name);
    process.crash();
    this.trace.say(`${process.name} crashes`);
    for (const client of this.clients) {
      if (client.at !== process) continue;
      this.clients.delete(client);
      this.trace.say(`client of ${client.of} loses its connection`);
    }
  }

  restart(name: string, limits?: Partial<Limits>): void {
    const old = this.isCoordinator(name) ? this.coordinator(name) : this.participant(name);
    if (old.host.alive()) throw new Error(`${name} is running: crash it first`);
    this.trace.say(`${old.name} starts again as ${old.name}'`);
    if (this.isCoordinator(name)) this.startCoordinator(name);
    else this.startParticipant(name, limits);
  }

  /** Gives the next new transaction a name and a home, then lets `begin` make it. */
  begins<T>(transaction: string, at: CoordinatorProcess, begin: () => T): T {
    this.naming = transaction;
    this.homes.set(transaction, at.name.replaceAll("'", ''));
    const begun = begin();
    this.look();
    this.naming = undefined;
    return begun;
  }

  /** The coordinator that began a transaction: its present process. */
  home(transaction: string): CoordinatorProcess {
    return this.coordinator(this.homeOf(transaction));
  }

  /** What that one is called, in each of its lives. */
  homeOf(transaction: string): string {
    const name = this.homes.get(transaction);
    if (!name) throw new Error(`${transaction} was never begun`);
    return name;
  }

  id(transaction: string): TransactionId {
    const id = this.trace.idOf(transaction);
    if (!id) throw new Error(`${transaction} was never begun`);
    return id as TransactionId;
  }

  /** The branch of a transaction in a database, if there is a trace of it. */
  gidAt(database: Database, transaction: string): string | undefined {
    const id = this.id(transaction);
    const { prepared, outcome } = database.store;
    return [...prepared.keys(), ...outcome.keys()].find((gid) => gid.includes(id));
  }

  /** A client waits for an answer and gets it once; a refusal is an answer too. */
  client(of: string, at: CoordinatorProcess, answer: Promise<TransactionView | string>): void {
    const client = { of, at };
    this.clients.add(client);
    // It arrives a hop later: after everything that its coordinator sent at the same moment.
    const tell = (what: string): void => {
      this.timeline.at(0, () => {
        if (!this.clients.delete(client)) return; // Its coordinator died.
        this.trace.say(`client of ${of} is ${this.trace.plain(what)}`);
      });
    };
    answer.then(
      (said) => {
        if (typeof said === 'string') return tell(said);
        this.watch.told(said);
        tell(`answered: ${viewText(said, this.trace)}`);
      },
      (error: unknown) => {
        if (error instanceof Refusal) tell(refusalText(error));
        else this.watch.failed(error);
      },
    );
  }

  processes(): { coordinators: CoordinatorProcess[]; participants: ParticipantProcess[] } {
    const alive = ({ host }: CoordinatorProcess | ParticipantProcess) => host.alive();
    return {
      coordinators: [...this.coordinators.values()].filter(alive),
      participants: [...this.participants.values()].filter(alive),
    };
  }

  private label(name: string): string {
    const times = this.starts.get(name) ?? 0;
    this.starts.set(name, times + 1);
    return name + "'".repeat(times);
  }

  /** Names new transactions and shows every change of state. */
  private look(): void {
    for (const { name, manager } of this.processes().coordinators) {
      for (const { transaction, status, attempt } of manager.live()) {
        if (this.trace.name(transaction) === transaction) {
          if (attempt) {
            this.trace.call(transaction, `${this.trace.name(attempt.first)}.${attempt.number}`);
          } else if (this.naming) {
            this.trace.call(transaction, this.naming);
            this.naming = undefined;
          }
        }
        const key = `${name} ${transaction}`;
        if (this.statuses.get(key) === status) continue;
        this.statuses.set(key, status);
        this.trace.say(`${name}: ${this.trace.name(transaction)} ${status}`);
      }
    }
  }
}

function refusalText({ code, view }: Refusal): string {
  return view?.decision ? `refused: ${code}, it is ${view.status}` : `refused: ${code}`;
}
