/**
 * The model as a specification to search: a state is two coordinators, the truth, what is left of each
 * fault, and the participants, all as numbers; its successors come from the rules, which run the
 * shipped machines and are asked once for the same parts.
 */
import type { Change } from './change.js';
import { CoordinatorRules, countsVotes } from './coordinator-rules.js';
import { DecideThereRules } from './decide-there-rules.js';
import { SHIPPED, type Host } from './host.js';
import { InquiryRules } from './inquiry-rules.js';
import { Interner, Memory } from './interner.js';
import { ParticipantRules } from './participant-rules.js';
import { pruning } from './pruning.js';
import { RegisterRules } from './register-rules.js';
import { AS_IT_IS, renameCoordinator, renameTruth } from './renaming.js';
import { ANY, FAULTS, UNBOUNDED, type Fault, type Scenario } from './scenario.js';
import type { Emit, Kind, Specification } from './search.js';
import { ordersOf, renameBy } from './symmetry.js';
import { unheard, witnessOf } from './witness.js';
import {
  IDLE_COORDINATOR,
  IDLE_INSTANCE,
  NOTHING_DECIDED,
  SLOTS,
  UNTOUCHED,
  branchOf,
  enlisted,
  type Coordinator,
  type Instance,
  type Mail,
  type Participant,
  type Slot,
  type Truth,
  type World,
} from './world.js';
import { BRANCH_ABSENT, TRANSACTION_BEGUN, type TransactionState } from '@concordat/protocol';

/** A change in numbers; -1 where a part stays as it is. */
interface Move {
  readonly label: string;
  readonly kind: Kind;
  readonly fault: number;
  readonly coordinator: number;
  readonly truth: number;
  readonly participant: number;
  readonly everyoneLoses: Slot | 0;
}

const TRUTH = 2;
const FAULTS_LEFT = 3;
const FIRST = 4;
const FAULT_BITS = 2;
/** Above the counters of each fault, the one of all. */
const IN_ALL = 28;
const HASTE = FAULTS.indexOf('haste');

export class Model implements Specification {
  readonly width: number;
  readonly coordinators = new Interner<Coordinator>((one) => renameCoordinator(one, AS_IT_IS));
  readonly truths = new Interner<Truth>((one) => renameTruth(one, AS_IT_IS));
  readonly participants = new Interner<Participant>(sorted);
  private readonly ofCoordinator: CoordinatorRules;
  private readonly ofRegister: RegisterRules;
  private readonly ofParticipant: ParticipantRules;
  private readonly ofInquiry: InquiryRules;
  private readonly ofThere: DecideThereRules;
  private readonly memories = Array.from({ length: 9 }, () => new Memory<readonly Move[]>());
  private readonly witnessed = new Memory<number>();
  private readonly lost = new Memory<number>();
  private readonly renamed = new Memory<number>();
  private readonly orders;
  private readonly next: Int32Array;
  private readonly best: Int32Array;
  private readonly made: Int32Array;
  private latest?: Int32Array;
  private latestWorld?: World;

  constructor(
    readonly scenario: Scenario,
    readonly host: Host = SHIPPED,
  ) {
    this.width = FIRST + scenario.participants;
    this.ofCoordinator = new CoordinatorRules(host, scenario);
    this.ofRegister = new RegisterRules(host, scenario, this.ofCoordinator.performing);
    this.ofParticipant = new ParticipantRules(host, scenario);
    this.ofInquiry = new InquiryRules(host);
    this.ofThere = new DecideThereRules(host);
    this.orders = ordersOf(scenario.participants);
    this.next = new Int32Array(this.width);
    this.best = new Int32Array(this.width);
    this.made = new Int32Array(this.width);
  }

  initial(): Int32Array {
    const { scenario } = this;
    let transaction: TransactionState = TRANSACTION_BEGUN;
    for (let i = 0; i < scenario.participants; i++) {
      const event = { type: 'enlisted', branch: enlisted(i, scenario.work) } as const;
      transaction = this.host.stepTransaction(transaction, event).state;
    }
    const state = new Int32Array(this.width);
    state[0] = this.coordinators.number({ ...IDLE_COORDINATOR, role: 'owner', transaction });
    state[1] = this.coordinators.number(IDLE_COORDINATOR);
    const { onePhase: inOnePhase } = scenario;
    state[TRUTH] = this.truths.number({ ...NOTHING_DECIDED, inOnePhase });
    state[FAULTS_LEFT] = scenario.faultsInAll << IN_ALL;
    FAULTS.forEach((one, i) => {
      state[FAULTS_LEFT] =
        (state[FAULTS_LEFT] as number) | ((scenario.faults[one] ?? 0) << (FAULT_BITS * i));
    });
    const instance: Instance =
      scenario.work === 'bundled'
        ? IDLE_INSTANCE
        : {
            ...IDLE_INSTANCE,
            branch: this.host.stepBranch(BRANCH_ABSENT, { type: 'begun', work: 'open' }).state,
          };
    // Open work lives in one process; any other knows nothing of it.
    const instances = Array.from({ length: scenario.instances }, (_, k) =>
      k === 0 ? instance : IDLE_INSTANCE,
    );
    state.fill(this.participants.number({ ...UNTOUCHED, instances }), FIRST);
    return state;
  }

  /** A state as its parts; the last one asked for is kept, since one state faces many statements. */
  world(state: Int32Array): World {
    if (state !== this.latest) {
      this.latest = state;
      this.latestWorld = this.takeApart(state);
    }
    return this.latestWorld as World;
  }

  private takeApart(state: Int32Array): World {
    const participants: Participant[] = [];
    for (let i = FIRST; i < this.width; i++) {
      participants.push(this.participants.part(state[i] as number));
    }
    return {
      coordinators: [
        this.coordinators.part(state[0] as number),
        this.coordinators.part(state[1] as number),
      ],
      truth: this.truths.part(state[TRUTH] as number),
      participants,
    };
  }

  successors(state: Int32Array, emit: Emit): void {
    const truth = state[TRUTH] as number;
    let busy = 0;
    for (let at = FIRST; at < this.width; at++) {
      if (this.participants.part(state[at] as number).inquiry !== 'none') busy += 1;
    }
    // To inquire while the owner is at it is haste: the answer would be on its way.
    const attended = isAttended(this.coordinators.part(state[0] as number));
    this.take(state, 0, -1, emit, this.registerAlone(truth));
    for (const slot of SLOTS) {
      const coordinator = state[slot - 1] as number;
      this.take(state, slot, -1, emit, this.coordinatorAlone(slot, coordinator));
      this.take(state, slot, -1, emit, this.coordinatorAndTruth(slot, coordinator, truth));
      for (let at = FIRST; at < this.width; at++) {
        const participant = state[at] as number;
        const moves = this.coordinatorAndParticipant(slot, coordinator, participant, at);
        this.take(state, slot, at, emit, moves);
        if (this.scenario.onePhase) {
          const moves = this.askingThere(slot, coordinator, truth, participant, attended);
          this.take(state, 0, at, emit, moves);
        }
        if (busy < this.scenario.inquiries) {
          const moves = this.asking(slot, coordinator, truth, participant, at);
          this.take(state, 0, at, emit, moves, attended);
        }
      }
    }
    const owner = state[0] as number;
    for (let at = FIRST; at < this.width; at++) {
      const participant = state[at] as number;
      this.take(state, 0, at, emit, this.participantAlone(participant));
      this.take(state, 0, at, emit, this.askingOwner(owner, participant));
      this.take(state, 0, at, emit, this.reporting(truth, participant, at));
      this.take(state, 0, at, emit, this.proposing(truth, participant, at));
    }
    if (this.scenario.faults.pruning) {
      for (const change of pruning(this.world(state), this.host)) {
        this.take(state, 0, change.at === undefined ? -1 : FIRST + change.at, emit, [
          this.move(change),
        ]);
      }
    }
  }

  canonical(state: Int32Array): Int32Array {
    if (!this.scenario.symmetric || this.scenario.order === 'ordered') return state;
    let found = false;
    for (let o = 0; o < this.orders.length; o++) {
      if (!this.isSorted(state, o)) continue;
      this.reorder(state, o, this.made);
      if (found && !this.precedes()) continue;
      this.best.set(this.made);
      found = true;
    }
    return this.best;
  }

  /** How many states of the full search this one represents. */
  orbit(state: Int32Array): number {
    const seen = new Set<string>();
    for (let o = 0; o < this.orders.length; o++) {
      this.reorder(state, o, this.made);
      seen.add(this.made.join());
    }
    return seen.size;
  }

  private isSorted(state: Int32Array, o: number): boolean {
    const order = this.orders[o] as readonly number[];
    for (let i = 1; i < order.length; i++) {
      const [before, after] = [order[i - 1] as number, order[i] as number];
      if ((state[FIRST + before] as number) > (state[FIRST + after] as number)) return false;
    }
    return true;
  }

  /** Among orders that sort the participants, the one with the smaller numbers counts. */
  private precedes(): boolean {
    for (let i = 0; i <= TRUTH; i++) {
      const [now, best] = [this.made[i] as number, this.best[i] as number];
      if (now !== best) return now < best;
    }
    return false;
  }

  private reorder(state: Int32Array, o: number, into: Int32Array): void {
    const order = this.orders[o] as readonly number[];
    const { coordinators, truths } = this;
    for (let i = 0; i < TRUTH; i++) {
      const number = state[i] as number;
      into[i] = this.renamed.recall(o, 0, number, () =>
        coordinators.number(renameCoordinator(coordinators.part(number), renameBy(order))),
      );
    }
    const truth = state[TRUTH] as number;
    into[TRUTH] = this.renamed.recall(o, 1, truth, () =>
      truths.number(renameTruth(truths.part(truth), renameBy(order))),
    );
    into[FAULTS_LEFT] = state[FAULTS_LEFT] as number;
    for (let to = 0; to < order.length; to++) {
      into[FIRST + to] = state[FIRST + (order[to] as number)] as number;
    }
  }

  private take(
    state: Int32Array,
    slot: Slot | 0,
    at: number,
    emit: Emit,
    moves: readonly Move[],
    hasty = false,
  ): void {
    for (const move of moves) {
      const left = state[FAULTS_LEFT] as number;
      const spent = hasty ? HASTE : move.fault;
      const remaining = spent < 0 ? ANY : (left >> (FAULT_BITS * spent)) & ANY;
      if (remaining === 0 || (spent >= 0 && left >>> IN_ALL === 0)) continue;
      if (!this.leads(state, slot, at, move)) continue;
      const { next } = this;
      next.set(state);
      if (spent >= 0) next[FAULTS_LEFT] = spend(left, spent);
      if (move.coordinator >= 0) next[slot - 1] = move.coordinator;
      if (move.truth >= 0) next[TRUTH] = move.truth;
      if (move.participant >= 0) next[at] = move.participant;
      if (move.everyoneLoses) this.loseAll(move.everyoneLoses);
      if (move.coordinator >= 0) this.witness(slot as Slot);
      if (slot === 1 && move.coordinator >= 0) this.stopCounting(state[0] as number);
      emit(next, hasty ? 'haste' : move.kind, move.label, at < 0 ? 0 : at - FIRST + 1);
    }
  }

  private loseAll(slot: Slot): void {
    for (let at = FIRST; at < this.width; at++) {
      const participant = this.next[at] as number;
      this.next[at] = this.lost.recall(slot, 0, participant, () =>
        this.participants.number(without(this.participants.part(participant), slot)),
      );
    }
  }

  /** The moment in which votes cease to matter. */
  private stopCounting(before: number): void {
    const { coordinators, participants } = this;
    if (!countsVotes(coordinators.part(before))) return;
    if (countsVotes(coordinators.part(this.next[0] as number))) return;
    for (let at = FIRST; at < this.width; at++) {
      const participant = this.next[at] as number;
      this.next[at] = this.lost.recall(0, 0, participant, () =>
        participants.number(unheard(participants.part(participant))),
      );
    }
  }

  /** Notes what a coordinator's new state reports: its decision, and to its client. */
  private witness(slot: Slot): void {
    const [coordinator, truth] = [this.next[slot - 1] as number, this.next[TRUTH] as number];
    this.next[TRUTH] = this.witnessed.recall(slot, truth, coordinator, () =>
      this.truths.number(witnessOf(this.coordinators.part(coordinator), this.truths.part(truth))),
    );
  }

  private registerAlone(truth: number): readonly Move[] {
    return this.recall(0, 0, 0, truth, () => this.ofRegister.alone(this.truths.part(truth)));
  }

  private coordinatorAlone(slot: Slot, coordinator: number): readonly Move[] {
    return this.recall(1, 0, slot, coordinator, () =>
      this.ofCoordinator.alone(this.coordinators.part(coordinator), slot),
    );
  }

  private coordinatorAndTruth(slot: Slot, coordinator: number, truth: number): readonly Move[] {
    return this.recall(2, slot, truth, coordinator, () =>
      this.ofRegister.withCoordinator(
        this.coordinators.part(coordinator),
        slot,
        this.truths.part(truth),
      ),
    );
  }

  private coordinatorAndParticipant(
    slot: Slot,
    coordinator: number,
    participant: number,
    at: number,
  ): readonly Move[] {
    return this.recall(3, slot * 8 + at, coordinator, participant, () =>
      this.ofCoordinator.withParticipant(
        this.coordinators.part(coordinator),
        slot,
        this.participants.part(participant),
        branchOf(at - FIRST),
      ),
    );
  }

  private asking(
    slot: Slot,
    coordinator: number,
    truth: number,
    participant: number,
    at: number,
  ): readonly Move[] {
    const one = this.participants.part(participant);
    if (one.row !== 'prepared' || one.inquiry !== 'none') return NONE;
    return this.recall(4 + slot, truth * 8 + at, coordinator, participant, () =>
      this.ofInquiry.ask(
        this.coordinators.part(coordinator),
        slot,
        this.truths.part(truth),
        one,
        branchOf(at - FIRST),
      ),
    );
  }

  /** One phase: another coordinator asks the participant. */
  private askingThere(
    slot: Slot,
    coordinator: number,
    truth: number,
    participant: number,
    attended: boolean,
  ): readonly Move[] {
    return this.recall(4 + slot, truth * 2 + (attended ? 1 : 0), coordinator, participant, () =>
      this.ofThere.ask(this.coordinators.part(coordinator), {
        slot,
        attended,
        truth: this.truths.part(truth),
        participant: this.participants.part(participant),
      }),
    );
  }

  private participantAlone(participant: number): readonly Move[] {
    return this.recall(4, 0, 0, participant, () =>
      this.ofParticipant.alone(this.participants.part(participant)),
    );
  }

  private askingOwner(owner: number, participant: number): readonly Move[] {
    const one = this.participants.part(participant);
    if (!one.inquiry.startsWith('read@')) return NONE;
    return this.recall(7, 0, owner, participant, () =>
      this.ofInquiry.askOwner(this.coordinators.part(owner), one),
    );
  }

  private reporting(truth: number, participant: number, at: number): readonly Move[] {
    const one = this.participants.part(participant);
    if (!one.unreported) return NONE;
    return this.recall(8, at, truth, participant, () =>
      this.ofInquiry.report(this.truths.part(truth), one, branchOf(at - FIRST)),
    );
  }

  private proposing(truth: number, participant: number, at: number): readonly Move[] {
    const one = this.participants.part(participant);
    if (!one.inquiry.startsWith('propose@')) return NONE;
    return this.recall(7, at, truth, participant, () =>
      this.ofInquiry.propose(this.truths.part(truth), one, branchOf(at - FIRST)),
    );
  }

  private recall(
    memory: number,
    a: number,
    b: number,
    c: number,
    rule: () => Change[],
  ): readonly Move[] {
    return (this.memories[memory] as Memory<readonly Move[]>).recall(a, b, c, () =>
      rule().map((change) => this.move(change)),
    );
  }

  /** Whether a move leads anywhere: most events that a machine tolerates do not. */
  private leads(state: Int32Array, slot: Slot | 0, at: number, move: Move): boolean {
    return (
      move.everyoneLoses !== 0 ||
      (move.coordinator >= 0 && move.coordinator !== state[slot - 1]) ||
      (move.truth >= 0 && move.truth !== state[TRUTH]) ||
      (move.participant >= 0 && move.participant !== state[at])
    );
  }

  private move({
    label,
    kind,
    spends,
    coordinator,
    truth,
    participant,
    everyoneLoses,
  }: Change): Move {
    return {
      label,
      kind,
      fault: spends ? FAULTS.indexOf(spends satisfies Fault) : -1,
      coordinator: coordinator ? this.coordinators.number(coordinator) : -1,
      truth: truth ? this.truths.number(truth) : -1,
      participant: participant ? this.participants.number(participant) : -1,
      everyoneLoses: everyoneLoses ?? 0,
    };
  }
}

const NONE: readonly Move[] = [];

/** Instances of a participant are alike: their order means nothing. */
function sorted(participant: Participant): Participant {
  const { instances } = participant;
  if (instances.length < 2) return participant;
  const text = (one: Instance) => JSON.stringify(one);
  return { ...participant, instances: [...instances].sort((a, b) => (text(a) < text(b) ? -1 : 1)) };
}

function spend(left: number, fault: number): number {
  const each = (left >> (FAULT_BITS * fault)) & ANY;
  const spent = each === ANY ? left : left - (1 << (FAULT_BITS * fault));
  return left >>> IN_ALL === UNBOUNDED ? spent : spent - (1 << IN_ALL);
}

/** Whether the owner lives and still works on the transaction. */
function isAttended({ role, transaction }: Coordinator): boolean {
  return role === 'owner' && transaction !== null && transaction.phase !== 'ended';
}

/** A participant that lost its coordinators: its answers are not received any more. */
function without(participant: Participant, slot: Slot): Participant {
  const { inquiry } = participant;
  const mail = participant.mail
    .filter((one) => !one.endsWith(`>${slot}`))
    .map((one): Mail => (one.endsWith(`<${slot}`) ? (one.replace(/.$/, '0') as Mail) : one));
  return {
    ...participant,
    mail: [...new Set(mail)].sort(),
    inquiry: inquiry.endsWith(`@${slot}`) ? 'none' : inquiry,
    instances: participant.instances.map((one) => ({
      ...one,
      askers: one.askers.filter((asker) => asker !== slot),
    })),
  };
}
