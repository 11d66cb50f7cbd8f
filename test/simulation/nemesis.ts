/**
 * The nemesis: everything that goes wrong while a run runs, scheduled from the drawn options. Faults of
 * single messages and answers are in the network, the register and the resource; here are the faults of
 * nodes, clocks, the register as a whole, and prepared branches.
 */
import { ownerOf, parseGid, type ParticipantName } from '@concordat/protocol';
import { transactionOf } from './checkers/checker.js';
import type { History } from './history.js';
import { CoordinatorProcess, type ParticipantProcess, type Process } from './nodes.js';
import type { WorldOptions } from './options.js';
import type { Random } from './random.js';
import type { SeededNetwork } from './seeded-network.js';
import type { HouseStore } from './simulated-house.js';
import type { RegisterStore } from './simulated-register.js';
import type { DatabaseStore } from './database-store.js';
import type { Timeline } from './timeline.js';
import { shuffled } from './workload.js';

export interface Target {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly history: History;
  readonly network: SeededNetwork;
  readonly register: RegisterStore;
  /** Where there is housekeeping. */
  readonly house?: HouseStore;
  readonly databases: ReadonlyMap<ParticipantName, DatabaseStore>;
  readonly coordinators: readonly CoordinatorProcess[];
  readonly participants: readonly ParticipantProcess[];
  replaceCoordinator(victim: CoordinatorProcess, downMs: number): void;
  replaceParticipant(victim: ParticipantProcess, downMs: number): void;
}

/** A fault hits so many events after its time: between any two events, not only when all is quiet. */
const EVENTS_MAX = 12;
const HOUR_MS = 3_600_000;
/** Who waits for an occasion looks so often. */
const LOOKS_MAX = 80;
const LOOK_EVERY_MS = 25;

export class Nemesis {
  private healed = false;
  /** Faults that wait for a coordinator whose first branch has just prepared. */
  private ambushes: ((owner: CoordinatorProcess) => void)[] = [];
  private readonly lateMsMax: number;
  private readonly clocksMsMax: number;
  private readonly asleep = new Map<Process, { since: number; suspended: boolean }>();

  constructor(
    private readonly target: Target,
    options: WorldOptions,
  ) {
    const { spanMs } = options;
    this.lateMsMax = options.lateMsMax;
    this.clocksMsMax = options.clocksMsMax;
    const { timeline, random } = target;
    const schedule = (times: number, fault: () => void): void => {
      for (let i = 0; i < times; i++) {
        timeline.at(random.between(1, spanMs), () => {
          if (!this.healed) fault();
        });
      }
    };
    schedule(options.crashes, () => this.crashOne());
    schedule(options.partitions, () => this.partitionOne());
    schedule(options.pauses, () => this.pauseOne());
    schedule(options.swizzles, () => this.swizzle());
    schedule(options.clockJumps, () => this.jumpOne());
    schedule(options.failovers, () => this.failOver());
    schedule(options.manual, () => this.lookForPrepared(LOOKS_MAX));
  }

  /**
   * Nothing new goes wrong, everything cut or clogged is whole, the register is up. A paused process goes on
   * in its own time: the later, the more has changed without it.
   */
  heal(): void {
    this.healed = true;
    const { network, register } = this.target;
    network.heal();
    register.comeBack();
  }

  /** A branch has prepared: its owner believes that it will decide. Nowhere is a fault better placed. */
  branchPrepared(gid: string): void {
    if (this.healed || this.ambushes.length === 0) return;
    const incarnation = ownerOf(transactionOf(gid));
    const owner = this.target.coordinators.find((one) => one.incarnation === incarnation);
    if (owner) this.ambushes.pop()?.(owner);
  }

  private crashOne(): void {
    const { random, coordinators, participants } = this.target;
    const events = random.chance(0.5) ? random.between(1, EVENTS_MAX) : 0;
    if (random.chance(0.5)) {
      if (random.chance(0.3))
        this.ambushes.push((owner) => this.crash(owner, random.between(0, 3)));
      else this.crash(random.pick(coordinators), events);
    } else if (participants.length > 0) this.crash(random.pick(participants), events);
  }

  private crash(victim: CoordinatorProcess | ParticipantProcess, events: number): void {
    const { random, history } = this.target;
    const downMs = random.between(1, 5_000);
    victim.host.afterEvents(events, () => {
      if (!victim.host.alive() || this.healed) return;
      history.count('crashes');
      this.asleep.delete(victim);
      victim.crash();
      if (victim instanceof CoordinatorProcess) this.target.replaceCoordinator(victim, downMs);
      else this.target.replaceParticipant(victim, downMs);
    });
  }

  private partitionOne(): void {
    const { random, network, timeline, history } = this.target;
    const nodes = this.nodes();
    const [a, b] = [random.pick(nodes), random.pick(nodes)];
    network.partition(a.name, b.name);
    if (random.chance(0.5)) network.partition(b.name, a.name);
    history.count('partitions');
    timeline.tell(() => `PARTITION ${a.name} ${b.name}`);
    timeline.at(random.between(100, Math.min(8_000, this.lateMsMax)), () => {
      if (!this.healed) network.rejoin();
    });
  }

  /** A paused process goes on as if nothing had happened: the zombie. */
  private pauseOne(): void {
    const { random } = this.target;
    if (random.chance(0.6)) {
      const ms = random.pick([1_000, 10_000, 15_000]);
      this.ambushes.push((owner) => this.pause(owner, ms, random.between(0, 4)));
    } else {
      const ms = random.pick([200, 2_000, 14_000]);
      this.pause(random.pick(this.nodes()), ms, random.between(0, EVENTS_MAX));
    }
  }

  private pause(victim: Process, msMax: number, events: number): void {
    const { random, history, timeline } = this.target;
    const mostMs = Math.min(msMax, this.lateMsMax);
    const pauseMs = random.between(mostMs / 2, mostMs);
    victim.host.afterEvents(events, () => {
      if (!victim.host.alive() || victim.host.paused || this.healed) return;
      // Stopped: its clock ran on. Suspended with its machine: by its own clock no time has passed.
      const suspended = random.chance(0.4);
      history.count(suspended ? 'suspensions' : 'pauses');
      timeline.tell(() => `${victim.name} ${suspended ? 'SUSPENDED' : 'PAUSED'}`);
      victim.host.pause();
      this.asleep.set(victim, { since: timeline.now, suspended });
      timeline.at(pauseMs, () => this.wake(victim));
    });
  }

  private wake(one: Process): void {
    const sleep = this.asleep.get(one);
    if (!sleep) return;
    this.asleep.delete(one);
    const { timeline, random } = this.target;
    timeline.tell(() => `${one.name} GOES ON`);
    if (sleep.suspended) one.clock.standStill(timeline.now - sleep.since);
    one.host.resume(random.chance(0.5) ? 'timer' : 'mail');
  }

  /** Swizzle-clogging (FoundationDB): clogs nodes one after another, unclogs them in another order. */
  private swizzle(): void {
    const { random, network, timeline, history } = this.target;
    const names = shuffled(
      random,
      this.nodes().map((one) => one.name),
    ).slice(0, random.between(1, 5));
    const stepMs = random.pick([50, 400, 1_200]);
    names.forEach((name, i) =>
      timeline.at(i * stepMs, () => {
        if (this.healed) return;
        history.count('clogs');
        timeline.tell(() => `CLOG ${name}`);
        network.clog(name);
      }),
    );
    shuffled(random, names).forEach((name, i) =>
      timeline.at((names.length + i) * stepMs + 1, () => {
        timeline.tell(() => `UNCLOG ${name}`);
        network.unclog(name);
      }),
    );
  }

  /** Somebody sets a node's clock, by milliseconds or by an hour, forward or back. */
  private jumpOne(): void {
    const { random } = this.target;
    if (random.chance(0.4)) this.jump(random.pick(this.nodes()), 0);
    else this.jumpAtWork(random.pick(this.target.coordinators), LOOKS_MAX);
  }

  /** A coordinator that is in the middle of something may measure it with the wrong clock. */
  private jumpAtWork(victim: CoordinatorProcess, looks: number): void {
    const isIdle = victim.host.alive() && victim.manager.oldestLive() === undefined;
    if (isIdle && looks > 0) {
      this.target.timeline.at(LOOK_EVERY_MS, () => this.jumpAtWork(victim, looks - 1));
    } else this.jump(victim, this.target.random.between(0, 4));
  }

  private jump(victim: Process, events: number): void {
    const { random, history, timeline } = this.target;
    const far = Math.min(random.pick([50, 5_000, HOUR_MS]), this.clocksMsMax);
    const ms = random.between(-far, far);
    victim.host.afterEvents(events, () => {
      history.count('clockJumps');
      timeline.tell(() => `${victim.name} CLOCK JUMPS ${ms} ms`);
      victim.clock.jump(ms);
    });
  }

  private failOver(): void {
    const { random, register, house, timeline, history } = this.target;
    if (!register.isUp) return;
    history.count('failovers');
    timeline.tell('register FAILS OVER');
    const isLost = () => random.chance(0.7);
    const lost = register.failOver(timeline.now, isLost);
    history.count('unforcedLost', lost);
    if (house) history.count('notesLost', house.failOver(timeline.now, isLost));
    timeline.at(Math.min(random.pick([20, 1_000, 6_000]), this.lateMsMax), () => {
      if (register.isUp) return;
      timeline.tell('register IS BACK');
      register.comeBack();
    });
  }

  /** A DBA finishes a prepared branch manually, or a failover of its database loses it. */
  private lookForPrepared(looks: number): void {
    const { random, databases, timeline, history } = this.target;
    const found = [...databases].flatMap(([participant, store]) =>
      [...store.prepared.keys()]
        .filter((gid) => !store.finishing.has(gid)) // A session that is at it holds the branch.
        .map((gid) => ({ participant, store, gid })),
    );
    if (found.length === 0) {
      if (looks > 0 && !this.healed) {
        timeline.at(LOOK_EVERY_MS, () => this.lookForPrepared(looks - 1));
      }
      return;
    }
    const { participant, store, gid } = random.pick(found);
    const act = random.pick(['committed', 'rolled-back', 'lost'] as const);
    history.handActs.push({ gid, participant, act, at: timeline.now });
    history.count('handActs');
    timeline.tell(() => `MANUALLY ${participant} ${act} ${parseGid(gid)?.transaction}`);
    if (act === 'committed') store.commitPrepared(gid, true);
    else store.rollbackPrepared(gid);
  }

  private nodes(): Process[] {
    return [...this.target.coordinators, ...this.target.participants];
  }
}
