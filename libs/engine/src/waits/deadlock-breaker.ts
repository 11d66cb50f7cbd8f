/**
 * Finds cycles of waits across databases and breaks them. Guards "never a victim without a cycle": what
 * was reported only says where to look. A cycle is broken after every wait in it was seen a second time,
 * by a look that began when all of them were known, under the same name and for the same holder. A wait
 * that was seen twice under one name lasted all the while, so between the two looks there was a moment at
 * which all of them held together; and a cycle that held at one moment cannot end by itself.
 *
 * A branch without a session waits for its turn, which no look can show. A cycle that leads through one is
 * asked about as well, which lets that branch run again (ADR 31), and is broken only as any other is.
 *
 * Only the owner of the youngest transaction of a cycle looks for it, through older transactions only,
 * and asks the owners of those that are not its own. Nothing is asked while nothing waits. The break is
 * the abort of an undecided transaction by its owner, which is safe at any time; a lost or late message costs
 * time only, and is repeated in the next round.
 */
import {
  NoCode,
  ownerOf,
  protocolNo,
  type AbortCause,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import {
  WAITS_ASKED_MAX,
  type BranchWait,
  type Clock,
  type Wait,
  type WaitQuestions,
} from '../ports/index.js';
import { within } from '../pause.js';
import {
  heldBy,
  inSessions,
  victimsAmong,
  type Cycle,
  type CycleEdge,
  type Graph,
} from './cycles.js';
import type { TransactionManager } from '../transaction-manager.js';
import type { WaitBoard } from './wait-board.js';

export interface DeadlockBreakerPorts {
  readonly board: WaitBoard;
  readonly questions: WaitQuestions;
  readonly clock: Clock;
  readonly manager: Pick<TransactionManager, 'breakDeadlock' | 'keepOrder'>;
}

export interface DeadlockBreakerOptions {
  readonly incarnation: Incarnation;
  /** Between two rounds while something waits. */
  readonly roundMs?: number;
}

export interface DeadlockCounters {
  /** Cycles that were seen twice and broken. */
  readonly broken: number;
  /** Cycles that the reports showed and the second look did not. */
  readonly unconfirmed: number;
}

/** A cycle that was broken here, as it was seen. */
export interface BrokenCycle {
  /** Ms since 1970. */
  readonly atMs: number;
  readonly victim: TransactionId;
  /** Each transaction of it, what it waited for, and who held that; the victim's first. */
  readonly waits: readonly CycleWait[];
}

export interface CycleWait {
  readonly transaction: TransactionId;
  readonly participant: ParticipantName;
  readonly relation?: string;
  readonly row?: string;
  readonly heldBy: TransactionId;
}

const ROUND_MS = 100;
/** Broken cycles that are remembered, for people who ask. */
const BROKEN_KEPT = 200;
/** A report of several participants' waits often comes in several messages. */
const GATHER_MS = 5;
/** Longer chains are followed in the next round, from where they have shortened meanwhile. */
const HOPS_MAX = 64;
/** How long a round waits for another coordinator. */
const OWNER_MS = 250;
/** Branches that one look may name. */
const BRANCHES_ASKED_MAX = 200;
/** Transactions that one round looks at. */
const REACH_MAX = 2_000;

export class DeadlockBreaker {
  private broken = 0;
  private unconfirmed = 0;
  private readonly last: BrokenCycle[] = [];
  private cancel: (() => void) | undefined;
  private dueAt = Number.POSITIVE_INFINITY;
  private isRunning = false;
  private isStopped = false;
  private readonly forget: () => void;

  constructor(
    private readonly ports: DeadlockBreakerPorts,
    private readonly options: DeadlockBreakerOptions,
  ) {
    const forgetReports = ports.board.onReport(({ waits }) => {
      if (waits.length > 0) this.roundIn(GATHER_MS);
    });
    const forgetAsked = ports.board.onAsked(() => this.roundIn(GATHER_MS));
    this.forget = () => {
      forgetReports();
      forgetAsked();
    };
  }

  counters(): DeadlockCounters {
    return { broken: this.broken, unconfirmed: this.unconfirmed };
  }

  /** The last cycles that were broken here and in which this transaction was, the newest first. */
  brokenWith(transaction: TransactionId): BrokenCycle[] {
    const isIn = ({ waits }: BrokenCycle): boolean =>
      waits.some((one) => one.transaction === transaction);
    return this.last.filter(isIn).reverse();
  }

  stop(): void {
    this.isStopped = true;
    this.forget();
    this.cancel?.();
  }

  private roundIn(ms: number): void {
    const { clock } = this.ports;
    if (this.isStopped || this.isRunning || clock.now() + ms >= this.dueAt) return;
    this.cancel?.();
    this.dueAt = clock.now() + ms;
    this.cancel = clock.after(ms, () => void this.round());
  }

  private async round(): Promise<void> {
    this.dueAt = Number.POSITIVE_INFINITY;
    this.isRunning = true;
    const { board, manager } = this.ports;
    try {
      manager.keepOrder({ waits: board.all(), asked: board.askedAbout() });
      const graph = await this.graph();
      const cycles = victimsAmong(inSessions(graph));
      // A wait without a session ends in more than one way, so it proves no cycle. It is asked about all
      // the same: then that branch runs again, and what it waits for is seen in a later round.
      const suspected = victimsAmong(graph, cycles);
      const ours = cycles.filter((one) => this.isOurs(one));
      const asked = [...ours, ...suspected.filter((one) => this.isOurs(one))];
      if (asked.length > 0) this.break(ours, await this.lookAgain(asked));
    } finally {
      this.isRunning = false;
      if (board.all().length > 0) this.roundIn(this.options.roundMs ?? ROUND_MS);
    }
  }

  private isOurs([{ wait }]: Cycle): boolean {
    return ownerOf(wait.transaction) === this.options.incarnation;
  }

  /** What our waiting transactions wait for, and what those wait for, and so on. */
  private async graph(): Promise<Graph> {
    const known = new Map<TransactionId, Wait[]>();
    const own = this.ports.board.all();
    for (const wait of own) put(known, wait.transaction, wait);
    const youngest = [...known.keys()].reduce((a, b) => (a > b ? a : b), '' as TransactionId);
    let front = heldBy(own);
    for (let hop = 0; hop < HOPS_MAX && known.size < REACH_MAX; hop++) {
      // What is younger than all of ours is in no cycle in which one of ours gives way.
      const next = new Set(front.filter((one) => !known.has(one) && one < youngest));
      if (next.size === 0) break;
      for (const one of next) known.set(one, []);
      const told = await Promise.all(byOwner(next).map((of) => this.waitsOf(of)));
      const waits = told.flat().filter(({ transaction }) => next.has(transaction));
      for (const wait of waits) put(known, wait.transaction, wait);
      front = heldBy(waits);
    }
    return known;
  }

  /** One that is silent must not keep the others waiting: what it owns is asked for in the next round. */
  private async waitsOf([owner, transactions]: Owned): Promise<readonly Wait[]> {
    const { board, questions, clock } = this.ports;
    if (owner === this.options.incarnation) {
      return board.ofAll(transactions).flatMap(({ waits }) => waits);
    }
    const asked = answered(questions.waitsOf(owner, transactions.slice(0, WAITS_ASKED_MAX)));
    const told = await within(clock, OWNER_MS, asked, undefined);
    return (told ?? []).flatMap(({ waits }) => waits);
  }

  /** What the branches of these cycles wait for now, by looks that begin now: one for each instance. */
  private async lookAgain(cycles: readonly Cycle[]): Promise<readonly BranchWait[]> {
    const asked = new Map<string, Wait[]>();
    for (const { wait } of cycles.flat()) put(asked, `${wait.participant}.${wait.instance}`, wait);
    const seen = await Promise.all(
      [...asked.values()].map((waits) => {
        const [at] = waits as [Wait];
        const branches = waits.slice(0, BRANCHES_ASKED_MAX);
        return answered(this.ports.questions.waitsNow(at, branches));
      }),
    );
    return seen.flatMap((waits) => waits ?? []);
  }

  private break(cycles: readonly Cycle[], seen: readonly BranchWait[]): void {
    const { manager } = this.ports;
    for (const cycle of cycles) {
      const isThere = cycle.every((edge) => seen.some((one) => isStill(one, edge)));
      if (!isThere) {
        this.unconfirmed += 1;
        continue;
      }
      // Crash window: until this abort nothing has changed, and no other coordinator breaks the cycle; a
      // transaction whose owner is gone is ended by recovery.
      const { transaction } = cycle[0].wait;
      if (!manager.breakDeadlock(transaction, causeOf(cycle))) continue;
      this.broken += 1;
      this.remember(transaction, cycle);
    }
  }

  private remember(victim: TransactionId, cycle: Cycle): void {
    this.last.push({ atMs: this.ports.clock.wallNow(), victim, waits: waitsOfCycle(cycle) });
    if (this.last.length > BROKEN_KEPT) this.last.shift();
  }
}

/** Whether a wait is seen again, under its name and for its holder. */
const isStill = (one: BranchWait, { wait, holder }: CycleEdge): boolean =>
  one.id === wait.id &&
  one.transaction === wait.transaction &&
  one.branch === wait.branch &&
  one.holders.some((by) => by.kind === 'branch' && by.transaction === holder.transaction);

function put<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

type Owned = readonly [Incarnation, readonly TransactionId[]];

function byOwner(transactions: Iterable<TransactionId>): Owned[] {
  const owned = new Map<Incarnation, TransactionId[]>();
  for (const one of transactions) put(owned, ownerOf(one), one);
  return [...owned];
}

/** What was answered; empty without responders or without an answer in time. */
async function answered<T>(
  asked: Promise<{ readonly kind: string; readonly answer?: T }>,
): Promise<T | undefined> {
  const { kind, answer } = await asked;
  return kind === 'answered' ? answer : undefined;
}

function waitsOfCycle(cycle: Cycle): CycleWait[] {
  return cycle.map(({ wait: one, holder }) => ({
    transaction: one.transaction,
    participant: one.participant,
    ...(one.on.relation === undefined ? {} : { relation: one.on.relation }),
    ...(one.on.row === undefined ? {} : { row: one.on.row }),
    heldBy: holder.transaction,
  }));
}

/** The no that the owner gives in the stead of the branch that waits. */
function causeOf(cycle: Cycle): AbortCause {
  const { branch, participant } = cycle[0].wait;
  const waits = waitsOfCycle(cycle);
  const said = waits
    .map(
      (one) =>
        `${one.transaction} waits for ${whatOf(one)} of ${one.participant}, held by ${one.heldBy}`,
    )
    .join('; ');
  const reason = `Transactions wait for each other, and this one, the youngest, gives way: ${said}.`;
  const vote = protocolNo(NoCode.distributedDeadlock, reason.slice(0, REASON_MAX), { waits });
  return { kind: 'vote', branch, participant, vote };
}

/** As long as the reason of a vote may be on the wire. */
const REASON_MAX = 2_000;

function whatOf({ relation, row }: { readonly relation?: string; readonly row?: string }): string {
  if (relation === undefined) return 'a lock';
  return row === undefined ? relation : `a row of ${relation}, at ${row},`;
}
