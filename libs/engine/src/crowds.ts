/**
 * Branches that will probably wait for the same lock, known before they run. Guards "what would only wait is
 * not begun for it": where several were seen to wait for the same, a branch that has *all* in common with them
 * that they have in common with each other is one of their crowd. Of a crowd a few are at work at a time, and the
 * others wait without a session, in the order of their transactions.
 *
 * It is a guess, and only about when a branch begins. Members that hold what they need at the same time, or pass
 * one that waits, are evidence against it, and a little of that ends it. Pure but for its clock.
 */
import { commonOf, isPartOf, marksOf, nameOfPattern, seedsOf, type Marks } from './crowd-marks.js';
import type { LocalBranch } from './local-branch.js';
import type { BranchKey, Clock } from './ports/index.js';

/** Of one crowd at work at a time: one that gets the lock next, and one that gets it then. */
const AT_WORK_MAX = 2;
/** So many wait for the same before it is a crowd. */
const CROWD_MIN = 3;
/** Twice as many are at work after each such time in which none has got what it needs: that may last. */
const MOVES_WITHIN_MS = 200;
/** So long after the last of it was seen to wait, it is none any more. */
const LASTS_MS = 5_000;
/** So much evidence within such a time, and it is not believed for another; each before lets more be at work. */
const CONTRARY_MAX = 3;
const MORE_IN_DOUBT = 4;
const CONTRARY_MS = 30_000;
const DISPROVED_MS = 60_000;
const CROWDS_MAX = 64;

interface Crowd {
  readonly name: string;
  readonly pattern: Marks;
  until: number;
  /** When one of it got what it needs, or it was seen first. */
  movedAt: number;
  /** When there was evidence against it, the last first. */
  contraryAt: readonly number[];
  /** Told by other marks, and seen to wait for the same: some debit, others credit one account. */
  readonly kin: Set<Crowd>;
}

/** Of one crowd: how many, and since when none has got what it needs. */
interface AtWork {
  readonly count: number;
  readonly since: number;
}

interface Membership {
  readonly marks: Marks;
  version: number;
  crowds: readonly Crowd[];
}

const NONE: ReadonlySet<string> = new Set();

export class Crowds<Session> {
  private readonly crowds = new Map<string, Crowd>();
  private readonly disproved = new Map<string, { readonly pattern: Marks; until: number }>();
  private readonly members = new WeakMap<LocalBranch<Session>, Membership>();
  /** Pairs that are no kin for so long. */
  private readonly apart = new Map<string, number>();
  /** Whose holding has spoken against a crowd: each does so once, since a report of its end may be late. */
  private readonly witnesses = new WeakSet<LocalBranch<Session>>();
  /** Increased when there is another crowd, or one less. */
  private version = 0;
  private count = 0;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly branches: () => Iterable<LocalBranch<Session>>,
  ) {}

  /** These were seen to wait for the same. */
  seen(waiters: readonly LocalBranch<Session>[]): void {
    const until = this.clock.now() + LASTS_MS;
    let strangers = 0;
    for (const one of waiters) {
      const crowds = this.crowdsOf(one);
      for (const crowd of crowds) crowd.until = until;
      if (crowds.length === 0) strangers += 1;
    }
    if (strangers > 0 && waiters.length >= CROWD_MIN) this.learn(waiters);
    const all = new Set(waiters.flatMap((one) => this.crowdsOf(one)));
    for (const one of all) for (const other of all) this.join(one, other);
  }

  /**
   * The first operations of a branch are done: it holds what it needs. That is not the same as what another holds,
   * or is kept waiting for: locks are granted in the order in which they are asked for. Returns whether another of its
   * crowd may have its turn.
   */
  worked(local: LocalBranch<Session>): boolean {
    local.worked = ++this.count;
    const crowds = this.crowdsOf(local);
    if (crowds.length === 0) return false;
    const now = this.clock.now();
    for (const crowd of crowds.flatMap((one) => [one, ...one.kin])) crowd.movedAt = now;
    for (const other of this.branches()) {
      const isContrary = isHolding(other) || isKeptWaiting(other, local, now);
      if (other !== local && isContrary && this.contradict(crowds, other)) break;
    }
    return true;
  }

  /** A branch was asked to prepare. If it is prepared, it has held what it needs ever since it had worked. */
  voted(local: LocalBranch<Session>): void {
    if (local.state.phase !== 'prepared') return;
    const crowds = this.crowdsOf(local);
    if (crowds.length === 0) return;
    for (const other of this.branches()) {
      if (other.worked > local.worked && this.contradict(this.crowdsOf(other), local)) break;
    }
  }

  /** Names of crowds of which enough branches are at work beside this one; empty while there is none. */
  full(beside?: LocalBranch<Session>): ReadonlySet<string> {
    if (!this.hasAny()) return NONE;
    const atWork = new Map<Crowd, AtWork>();
    for (const one of this.branches()) {
      if (one === beside || !isAtWork(one)) continue;
      for (const crowd of this.crowdsOf(one)) {
        const still = Math.max(one.admittedAt, crowd.movedAt);
        const { count, since } = atWork.get(crowd) ?? { count: 0, since: still };
        atWork.set(crowd, { count: count + 1, since: Math.min(since, still) });
      }
    }
    const now = this.clock.now();
    const full = new Set<string>();
    for (const crowd of this.crowds.values()) {
      const all = [crowd, ...crowd.kin].flatMap((one) => atWork.get(one) ?? []);
      const count = all.reduce((sum, one) => sum + one.count, 0);
      const forTrial = 2 ** Math.floor((now - sinceOf(all, now)) / MOVES_WITHIN_MS);
      const inDoubt = MORE_IN_DOUBT ** doubtsOf(crowd, now);
      if (count >= AT_WORK_MAX * forTrial * inDoubt) full.add(crowd.name);
    }
    return full;
  }

  /** Whether it is in one of these crowds. */
  isIn(local: LocalBranch<Session>, names: ReadonlySet<string>): boolean {
    return names.size > 0 && this.crowdsOf(local).some(({ name }) => names.has(name));
  }

  /** Whether two are in the same one of these crowds, or of its kin. */
  share(
    names: ReadonlySet<string>,
    one: LocalBranch<Session>,
    other: LocalBranch<Session>,
  ): boolean {
    if (names.size === 0) return false;
    const others = this.crowdsOf(other);
    const isOf = (crowd: Crowd): boolean => others.some((by) => by === crowd || crowd.kin.has(by));
    return this.crowdsOf(one).some((crowd) => names.has(crowd.name) && isOf(crowd));
  }

  /** Of those that wait without a session, the first of each of these crowds. */
  firstOfEach(names: ReadonlySet<string>): LocalBranch<Session>[] {
    const first = new Map<string, LocalBranch<Session>>();
    if (names.size === 0) return [];
    for (const one of this.branches()) {
      if (!isWaiting(one)) continue;
      for (const { name } of this.crowdsOf(one)) {
        const before = first.get(name);
        if (names.has(name) && !(before && before.place <= one.place)) first.set(name, one);
      }
    }
    return [...first.values()];
  }

  /** Prepared branches that share one of these crowds with it, and so hold what it waits for. */
  preparedWith(names: ReadonlySet<string>, local: LocalBranch<Session>): BranchKey[] {
    return [...this.branches()]
      .filter((one) => one.state.phase === 'prepared' && this.share(names, local, one))
      .map(({ key }) => key);
  }

  /** Whether there is room for one more beside those of its crowds that are at work. */
  hasRoomFor(local: LocalBranch<Session>): boolean {
    return !this.hasAny() || !this.isIn(local, this.full(local));
  }

  /** Which crowds there are among those that wait for the same. */
  private learn(waiters: readonly LocalBranch<Session>[]): void {
    let left = waiters.map((one) => this.memberOf(one).marks);
    for (const seed of seedsOf(left)) {
      const having = left.filter((marks) => marks.has(seed));
      if (having.length < CROWD_MIN || !this.believe(commonOf(having))) continue;
      left = left.filter((marks) => !marks.has(seed));
    }
  }

  /** Takes it for a crowd, unless that is known to be wrong. */
  private believe(pattern: Marks): boolean {
    const now = this.clock.now();
    for (const [name, { pattern: wrong, until }] of this.disproved) {
      if (until < now) this.disproved.delete(name);
      else if (isPartOf(pattern, wrong)) return false;
    }
    if (this.holders(pattern) > 1) return false;
    for (const crowd of this.crowds.values()) {
      if (isPartOf(crowd.pattern, pattern)) return true;
      if (isPartOf(pattern, crowd.pattern)) this.forget(crowd);
    }
    const name = nameOfPattern(pattern);
    const crowd: Crowd = {
      ...{ name, pattern, until: now + LASTS_MS, movedAt: now, contraryAt: [], kin: new Set() },
    };
    put(this.crowds, name, crowd);
    this.version += 1;
    return true;
  }

  /** How many prepared branches have all of these marks: they hold what they need side by side. */
  private holders(pattern: Marks): number {
    let holders = 0;
    for (const one of this.branches()) {
      if (isHolding(one) && isPartOf(pattern, this.memberOf(one).marks)) holders += 1;
    }
    return holders;
  }

  /** Notes that a branch of these crowds held what it needs, or waited for it, while another one had it. */
  private contradict(crowds: readonly Crowd[], witness: LocalBranch<Session>): boolean {
    if (this.witnesses.has(witness)) return false;
    const others = this.crowdsOf(witness);
    const shared = others.filter((one) => crowds.includes(one));
    for (const one of crowds) for (const other of others) this.part(one, other);
    if (shared.length === 0) return false;
    this.witnesses.add(witness);
    const now = this.clock.now();
    for (const crowd of shared) {
      crowd.contraryAt = [now, ...crowd.contraryAt].slice(0, CONTRARY_MAX);
      if (doubtsOf(crowd, now) < CONTRARY_MAX) continue;
      this.forget(crowd);
      put(this.disproved, crowd.name, { pattern: crowd.pattern, until: now + DISPROVED_MS });
    }
    return true;
  }

  private forget(crowd: Crowd): void {
    this.crowds.delete(crowd.name);
    for (const one of crowd.kin) one.kin.delete(crowd);
    this.version += 1;
  }

  private join(one: Crowd, other: Crowd): void {
    const apartUntil = this.apart.get(pairOf(one, other)) ?? Number.NEGATIVE_INFINITY;
    if (one !== other && apartUntil < this.clock.now()) one.kin.add(other);
  }

  /** One of each holds what it needs, side by side: they do not wait for the same. */
  private part(one: Crowd, other: Crowd): void {
    if (!one.kin.delete(other)) return;
    other.kin.delete(one);
    put(this.apart, pairOf(one, other), this.clock.now() + DISPROVED_MS);
  }

  private crowdsOf(local: LocalBranch<Session>): readonly Crowd[] {
    if (!this.hasAny()) return [];
    const member = this.memberOf(local);
    if (member.version !== this.version) {
      member.version = this.version;
      member.crowds = [...this.crowds.values()].filter((one) =>
        isPartOf(one.pattern, member.marks),
      );
    }
    return member.crowds;
  }

  private memberOf(local: LocalBranch<Session>): Membership {
    const known = this.members.get(local);
    if (known) return known;
    const member = { marks: marksOf(local.work), version: -1, crowds: [] };
    this.members.set(local, member);
    return member;
  }

  private hasAny(): boolean {
    if (this.crowds.size === 0) return false;
    const now = this.clock.now();
    for (const crowd of this.crowds.values()) if (crowd.until < now) this.forget(crowd);
    return this.crowds.size > 0;
  }
}

function sinceOf(all: readonly AtWork[], now: number): number {
  return all.reduce((first, { since }) => Math.min(first, since), now);
}

function pairOf(one: Crowd, other: Crowd): string {
  return [one.name, other.name].sort().join('\n\n');
}

function doubtsOf({ contraryAt }: Crowd, now: number): number {
  return contraryAt.filter((at) => now - at <= CONTRARY_MS).length;
}

/** Has a session, or is about to get one, and has not got what it needs. */
function isAtWork({ state, recalled, runsAgain, worked }: LocalBranch<unknown>): boolean {
  return state.phase === 'working' && worked === 0 && (!recalled || runsAgain);
}

function isWaiting({ state, recalled, runsAgain }: LocalBranch<unknown>): boolean {
  return state.phase === 'working' && recalled !== undefined && !runsAgain;
}

/**
 * Holds what it got: open work between its calls, or what is prepared. What is being committed may be free already,
 * and so may what is being prepared: in one phase that is its commit.
 */
function isHolding({ state, worked }: LocalBranch<unknown>): boolean {
  return state.phase === 'prepared' || (state.phase === 'working' && worked > 0);
}

/** Whether it was at work before that one, and its lock has not moved for long. */
function isKeptWaiting(
  other: LocalBranch<unknown>,
  { admittedAt }: LocalBranch<unknown>,
  now: number,
): boolean {
  if (!isAtWork(other) || !other.lockWait || other.lockWait.since > admittedAt) return false;
  return now - other.lockWait.behindSince >= MOVES_WITHIN_MS;
}

function put<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  map.set(name, value);
  const [oldest] = map.keys();
  if (map.size > CROWDS_MAX && oldest !== undefined) map.delete(oldest);
}
