/**
 * The world of one run: stores that last, nodes that come and go, a workload of transfers, a nemesis,
 * and in the end healing and a demand for progress.
 */
import type { StandingDecision } from '@concordat/engine';
import { tokenFrom, type ParticipantName } from '@concordat/protocol';
import { OPENING_BALANCE, type Remains } from './checkers/index.js';
import { History } from './history.js';
import { Nemesis } from './nemesis.js';
import { Network } from './network.js';
import { CoordinatorProcess, ParticipantProcess, type Surroundings } from './nodes.js';
import { drawOptions, type WorldOptions } from './options.js';
import { Random } from './random.js';
import { RegisterStore } from './simulated-register.js';
import { DatabaseStore } from './simulated-resource.js';
import { Timeline } from './timeline.js';
import { ACCOUNT, submitOne } from './workload.js';
import { transactionOf } from './checkers/checker.js';

/** Simulated milliseconds of faults, and then until everything must have ended. */
const SPAN_MS = 10_000;
export const HEALING_MS = 240_000;
/** After rest, so long for evidence of what was done by hand to reach the register. */
const REPORTING_MS = 8_000;

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
  readonly registerStore = new RegisterStore((row) => this.noteEnd(row));
  readonly coordinators: CoordinatorProcess[] = [];
  readonly participants: ParticipantProcess[] = [];
  readonly network: Network;
  private readonly around: Surroundings;
  private readonly nemesis: Nemesis;
  private healed = false;

  constructor(
    readonly seed: number,
    { isTold = true, adjust = (drawn) => drawn }: WorldSettings = {},
  ) {
    this.random = new Random(seed);
    this.options = adjust(drawOptions(this.random));
    this.timeline = new Timeline(isTold);
    const { random, timeline, options, history } = this;
    this.network = new Network(timeline, random, options, history);
    this.around = this.surroundings();
    for (let i = 1; i <= options.participants; i++) {
      const name = `p${i}` as ParticipantName;
      const store = new DatabaseStore(
        (gid, byHand) => this.noteApplied(name, gid, byHand),
        (gid) => this.nemesis.branchPrepared(gid),
      );
      store.balances.set(ACCOUNT, OPENING_BALANCE);
      this.databases.set(name, store);
    }
    for (let i = 1; i <= options.coordinators; i++) this.startCoordinator(`c${i}`);
    for (const name of this.databases.keys()) {
      for (let r = 1; r <= options.replicas; r++) this.startParticipant(`${name}.${r}`, name);
    }
    this.nemesis = new Nemesis(this.target(), options, SPAN_MS);
  }

  /** Whether nothing is left to do anywhere. */
  readonly atRest = (): boolean => {
    for (const { manager } of this.coordinators) if (manager.liveCount() > 0) return false;
    for (const store of this.databases.values()) if (store.prepared.size > 0) return false;
    for (const row of this.registerStore.rows.values()) {
      if (row.decision === 'commit' && row.endedAtMs === undefined) return false;
    }
    return true;
  };

  async run(): Promise<void> {
    const { random, timeline, options, history } = this;
    const names = [...this.databases.keys()];
    const { coordinators, participants } = this;
    const stage = { random, timeline, options, history, names, coordinators, participants };
    for (let i = 0; i < options.transactions; i++) {
      timeline.at(random.between(0, SPAN_MS / 2), () => submitOne(stage));
    }
    await timeline.play(SPAN_MS);
    timeline.tell('HEALED');
    this.healed = true;
    this.nemesis.heal();
    await timeline.play(SPAN_MS + HEALING_MS, this.atRest);
    if (history.handActs.length > 0) {
      await timeline.play(timeline.now + REPORTING_MS);
      await timeline.play(SPAN_MS + HEALING_MS, this.atRest);
    }
    const told = history.clients.filter((one) => one.told !== 'unknown').length;
    history.count('unknownToClient', history.clients.length - told);
    for (const { heuristics } of this.registerStore.rows.values()) {
      history.count('heuristics', heuristics.length);
    }
  }

  private surroundings(): Surroundings {
    const { random, timeline, options, history, network, registerStore } = this;
    const unlessHealed = (probability: number) => (this.healed ? 0 : probability);
    return {
      cluster: tokenFrom(random.bytes(8)),
      timeline,
      random,
      network,
      history,
      registerStore,
      registerFaults: () => ({
        unknown: unlessHealed(options.registerUnknown),
        delayMsMax: options.registerDelayMsMax,
      }),
      resourceFaults: () => ({
        lostAnswer: unlessHealed(options.lostAnswer),
        refusal: unlessHealed(options.refusal),
        slow: unlessHealed(options.slow),
        delayMsMax: 5,
      }),
      clockRate: () => (options.clockSkew ? random.pick([0.2, 1, 5]) : 1),
      // Long enough that every branch hears of an abort while its owner lives.
      abortCourtesyMs: options.hands > 0 ? 600_000 : 20_000,
    };
  }

  private target() {
    const { random, timeline, history, network, databases, coordinators, participants } = this;
    return {
      ...{ random, timeline, history, network, databases, coordinators, participants },
      register: this.registerStore,
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
    const standing = this.registerStore.rows.get(transactionOf(gid))?.decision;
    this.history.applied.push({ gid, participant, standing, byHand });
  }

  private startCoordinator(name: string): void {
    this.coordinators.push(new CoordinatorProcess(name, this.around));
  }

  private startParticipant(name: string, participant: ParticipantName): void {
    const store = this.databases.get(participant) as DatabaseStore;
    this.participants.push(new ParticipantProcess(name, participant, store, this.around));
  }
}
