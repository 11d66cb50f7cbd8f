/**
 * Branches that will probably wait for the same lock, known before they run. Guards "what would only wait is
 * not begun for it": where several were seen to wait for the same, what their operations have in common marks
 * those that come later. Of a marked crowd a few are at work at a time, and the others wait without a session,
 * in the order of their transactions.
 *
 * It is a guess, and only about when a branch begins. It ends after a while, and at once where branches of one
 * mark are seen to hold what they need at the same time. Pure but for its clock.
 */
import type { LocalBranch } from './local-branch.js';
import type { BranchKey, Clock, OperationCall } from './ports/index.js';

/** Of one mark at work at a time: one that gets the lock next, and one that gets it then. */
const AT_WORK_MAX = 2;
/** So many wait for the same before it is a crowd. */
const CROWD_MIN = 3;
/** A crowd in which none has done its work for so long does not move: others are tried as if it were none. */
const MOVES_WITHIN_MS = 200;
const LASTS_MS = 5_000;
const LASTS_MS_MAX = 40_000;
/** So many times its time after its end, a crowd counts as new. */
const FORGOTTEN_AFTER = 4;
/** So often branches of one mark go side by side until it is believed that they do not wait for the same. */
const CONTRARY_MAX = 3;
const DISPROVED_MS = 60_000;
const MARKS_MAX = 1_000;
const MARKS_OF_CALL_MAX = 8;
const DEPTH_MAX = 3;
const TEXT_MAX = 100;

interface Heat {
  until: number;
  lastsMs: number;
  /** When one of it had done its work, or it was seen first. */
  movedAt: number;
  contrary: number;
}

export class Crowds<Session> {
  private readonly hot = new Map<string, Heat>();
  private readonly disproved = new Map<string, number>();
  private readonly marks = new WeakMap<LocalBranch<Session>, readonly string[]>();

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly branches: () => Iterable<LocalBranch<Session>>,
  ) {}

  /** These were seen to wait for the same. */
  seen(waiters: readonly LocalBranch<Session>[]): void {
    if (waiters.length < CROWD_MIN) return;
    const counts = new Map<string, number>();
    for (const one of waiters) {
      for (const mark of this.marksOf(one)) counts.set(mark, (counts.get(mark) ?? 0) + 1);
    }
    for (const [mark, count] of counts) if (count >= CROWD_MIN) this.heat(mark);
  }

  /**
   * The work of a branch is done: it holds what it needs. That is not the same as what another holds, or has
   * waited for since long before it: locks are granted in the order in which they are asked for.
   */
  worked(local: LocalBranch<Session>): void {
    const marks = this.hotMarksOf(local);
    if (marks.length === 0) return;
    const beside = new Set<string>();
    for (const other of this.branches()) {
      if (other === local || !(isHolding(other) || hasWaitedSinceLongBefore(other, local)))
        continue;
      for (const mark of this.marksOf(other)) beside.add(mark);
    }
    for (const mark of marks) {
      (this.hot.get(mark) as Heat).movedAt = this.clock.now();
      if (beside.has(mark)) this.doubt(mark);
    }
  }

  /** Marks of which enough branches are at work; empty while there is no crowd. */
  full(): ReadonlySet<string> {
    const full = new Set<string>();
    if (!this.hasAny()) return full;
    const atWork = new Map<string, number>();
    const now = this.clock.now();
    for (const one of this.branches()) {
      if (!isAtWork(one)) continue;
      for (const mark of this.hotMarksOf(one)) {
        const movedAt = Math.max(one.admittedAt, this.hot.get(mark)?.movedAt ?? 0);
        const isStuck = now - movedAt >= MOVES_WITHIN_MS;
        const count = (atWork.get(mark) ?? 0) + (isStuck ? Number.NEGATIVE_INFINITY : 1);
        atWork.set(mark, count);
        if (count >= AT_WORK_MAX) full.add(mark);
        else full.delete(mark);
      }
    }
    return full;
  }

  /** Whether it has one of these marks. */
  isIn(local: LocalBranch<Session>, marks: ReadonlySet<string>): boolean {
    return marks.size > 0 && this.marksOf(local).some((mark) => marks.has(mark));
  }

  /** Whether two have one of these marks in common. */
  share(
    marks: ReadonlySet<string>,
    one: LocalBranch<Session>,
    other: LocalBranch<Session>,
  ): boolean {
    if (marks.size === 0) return false;
    const others = this.marksOf(other);
    return this.marksOf(one).some((mark) => marks.has(mark) && others.includes(mark));
  }

  /** Of those that wait without a session, one of each of these marks. */
  firstOfEach(marks: ReadonlySet<string>): LocalBranch<Session>[] {
    const first = new Map<string, LocalBranch<Session>>();
    if (marks.size === 0) return [];
    for (const one of this.branches()) {
      if (one.state.phase !== 'working' || isAtWork(one)) continue;
      for (const mark of this.marksOf(one)) {
        const before = first.get(mark);
        if (marks.has(mark) && !(before && before.place <= one.place)) first.set(mark, one);
      }
    }
    return [...first.values()];
  }

  /** Prepared branches that have one of these marks in common with it, and so hold what it waits for. */
  preparedWith(marks: ReadonlySet<string>, local: LocalBranch<Session>): BranchKey[] {
    return [...this.branches()]
      .filter((one) => one.state.phase === 'prepared' && this.share(marks, local, one))
      .map(({ key }) => key);
  }

  /** Whether there is room for one more beside those of its crowd that are at work. */
  hasRoomFor(local: LocalBranch<Session>): boolean {
    if (!this.hasAny()) return true;
    return !this.isIn(local, this.full());
  }

  private hasAny(): boolean {
    if (this.hot.size === 0) return false;
    const now = this.clock.now();
    for (const { until } of this.hot.values()) if (until >= now) return true;
    return false;
  }

  private hotMarksOf(local: LocalBranch<Session>): string[] {
    if (this.hot.size === 0) return [];
    const now = this.clock.now();
    return this.marksOf(local).filter((mark) => (this.hot.get(mark)?.until ?? -1) >= now);
  }

  private heat(mark: string): void {
    const now = this.clock.now();
    if ((this.disproved.get(mark) ?? -1) >= now) return;
    const known = this.hot.get(mark);
    const isNew = !known || now > known.until + FORGOTTEN_AFTER * known.lastsMs;
    const isAgain = !isNew && now > known.until;
    const before = isNew ? LASTS_MS : known.lastsMs;
    const lastsMs = Math.min(before * (isAgain ? 2 : 1), LASTS_MS_MAX);
    const contrary = isNew || isAgain ? 0 : known.contrary;
    const movedAt = isNew || isAgain ? now : known.movedAt;
    put(this.hot, mark, { until: now + lastsMs, lastsMs, movedAt, contrary });
  }

  private doubt(mark: string): void {
    const heat = this.hot.get(mark);
    if (!heat) return;
    heat.contrary += 1;
    if (heat.contrary < CONTRARY_MAX) return;
    this.hot.delete(mark);
    put(this.disproved, mark, this.clock.now() + DISPROVED_MS);
  }

  private marksOf(local: LocalBranch<Session>): readonly string[] {
    const known = this.marks.get(local);
    if (known) return known;
    const marks = marksOf(local.work);
    this.marks.set(local, marks);
    return marks;
  }
}

/** Has a session, or is about to get one, and has not voted. */
function isAtWork({ state, recalled, runsAgain }: LocalBranch<unknown>): boolean {
  return state.phase === 'working' && (!recalled || runsAgain);
}

/** What is being committed may be free already, and what is being prepared may hold nothing. */
function isHolding({ state }: LocalBranch<unknown>): boolean {
  return state.phase === 'prepared';
}

function hasWaitedSinceLongBefore(
  other: LocalBranch<unknown>,
  { admittedAt }: LocalBranch<unknown>,
): boolean {
  return isAtWork(other) && admittedAt - other.admittedAt >= MOVES_WITHIN_MS;
}

/** What operations may have in common: each by its name and a value of its input, else by its name alone. */
export function marksOf(calls: readonly OperationCall[]): readonly string[] {
  const marks = new Set<string>();
  for (const { name, input } of calls) {
    const values = valuesIn(input, name, DEPTH_MAX).slice(0, MARKS_OF_CALL_MAX);
    for (const mark of values.length === 0 ? [name] : values) marks.add(mark);
  }
  return [...marks];
}

function valuesIn(value: unknown, path: string, depth: number): string[] {
  if (typeof value === 'number') return [`${path}=${value}`];
  if (typeof value === 'string') return value.length > TEXT_MAX ? [] : [`${path}="${value}"`];
  if (typeof value !== 'object' || value === null || depth === 0) return [];
  return Object.entries(value)
    .slice(0, MARKS_OF_CALL_MAX)
    .flatMap(([key, inside]) => valuesIn(inside, `${path}.${key}`, depth - 1));
}

function put<Value>(map: Map<string, Value>, mark: string, value: Value): void {
  map.delete(mark);
  map.set(mark, value);
  const [oldest] = map.keys();
  if (map.size > MARKS_MAX && oldest !== undefined) map.delete(oldest);
}
