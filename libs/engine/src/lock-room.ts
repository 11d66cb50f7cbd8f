/**
 * Sessions that wait for locks, and whether others may have them. Guards "waiting starves no branch": while
 * branches wait for sessions here, those at work are looked at, and some that wait for a lock give theirs
 * back (`lock-share.ts` says which). They keep their place, and run again when what they waited for is
 * over, a few at a time; at once where a cycle of waits may lead through them, so that it can be seen.
 *
 * A look that fails changes nothing: whom branches wait for is not known then, and none is recalled.
 */
import { formatGid } from '@concordat/protocol';
import { lockNotFree, sessionRecalled } from './branch-refusals.js';
import { Crowds } from './crowds.js';
import type { LocalBranch } from './local-branch.js';
import {
  keptMaxOf,
  lockShareOf,
  stuckQueues,
  waitersToRecall,
  type LockWaiter,
  type SessionDemand,
} from './lock-share.js';
import type { Recalled, Room } from './admission.js';
import type { BranchKey, Clock, Resource } from './ports/index.js';
import type { RecalledWait, WaitingBranches } from './waits/waits-without-session.js';

export interface LockRoomPorts<Session> {
  readonly clock: Clock;
  readonly resource: Resource<Session>;
  /** The branches of this instance. */
  readonly branches: () => Iterable<LocalBranch<Session>>;
  /** Who waits for a session. */
  readonly demand: () => SessionDemand & { readonly waiting: number };
  /** What waits for a lock has changed. */
  readonly changed: () => void;
}

export interface LockRoomOptions {
  readonly sessionsMax: number;
  /** Sessions that may wait while others need one. Default: half of `sessionsMax`. */
  readonly lockWaitersMax?: number;
}

interface Waiter<Session> extends LockWaiter {
  readonly session: Session;
  readonly local: LocalBranch<Session>;
}

const LOOK_MS = 30;
/** The same where no branch could begin if a session came free: nothing is to be recalled then. */
const LOOK_AGAIN_MS = 90;
/** So long a branch that may be in a cycle counts as such without a session: owners ask far more often. */
const SUSPECTED_MS = 1_000;
/** So long it keeps the session that it got for that: longer than it takes until its wait was seen twice. */
const KEPT_MS = 500;

export class LockRoom<Session> implements Room, WaitingBranches {
  private readonly share: number;
  private readonly keptMax: number;
  /** Whether all sessions may wait: then nothing is looked at, and none is recalled. */
  private readonly isOff: boolean;
  private isLooking = false;
  private dueAt = Number.POSITIVE_INFINITY;
  private cancel: (() => void) | undefined;
  private readonly crowds: Crowds<Session>;

  constructor(
    private readonly ports: LockRoomPorts<Session>,
    { sessionsMax, lockWaitersMax = lockShareOf(sessionsMax) }: LockRoomOptions,
  ) {
    this.share = Math.max(1, lockWaitersMax);
    this.keptMax = keptMaxOf(sessionsMax, this.share);
    this.isOff = this.share >= sessionsMax;
    this.crowds = new Crowds(ports.clock, ports.branches);
  }

  queues(): ReadonlySet<string> {
    const queues = new Set<string>();
    for (const { lockWait, session } of this.ports.branches()) {
      if (lockWait && session !== undefined) queues.add(lockWait.behind);
    }
    return queues;
  }

  crowded(): ReadonlySet<string> {
    return this.crowds.full();
  }

  /** Whether a branch that may begin waits for its turn instead, since enough of its crowd are at work. */
  holdsBack(local: LocalBranch<Session>): boolean {
    const now = this.ports.clock.now();
    local.admittedAt = now;
    if (this.crowds.hasRoomFor(local)) return false;
    local.recalled = { waitedSince: now };
    local.cancelLease?.(); // Its client waits for it, and not the other way round.
    return true;
  }

  /** The first operations of a branch are done, and it holds what they need. */
  worked(local: LocalBranch<Session>): void {
    if (local.worked === 0 && this.crowds.worked(local)) this.ports.changed();
  }

  /** A branch has answered its prepare. */
  voted(local: LocalBranch<Session>): void {
    this.crowds.voted(local);
  }

  hasRoom(before: number): boolean {
    let crowd = 0;
    for (const { place, lockWait, runsAgain, state } of this.ports.branches()) {
      if (place < before && state.phase === 'working' && (lockWait || runsAgain)) crowd += 1;
    }
    return crowd < this.share || crowd - stuckQueues(this.waiters()) < this.share;
  }

  placesOfSuspected(): number {
    let kept = 0;
    for (const local of this.ports.branches()) if (this.isKept(local)) kept += 1;
    return this.keptMax - kept;
  }

  /** How a branch that was recalled waits until it may run again. */
  turnOf(local: LocalBranch<Session>): Recalled {
    const { clock } = this.ports;
    const { behind, waitedSince = clock.now() } = local.recalled ?? {};
    return {
      behind,
      isIn: (marks) => this.crowds.isIn(local, marks),
      suspectedSince: () =>
        local.suspected && clock.now() < local.suspected.until ? local.suspected.since : undefined,
      turn: () => {
        local.runsAgain = true;
        local.admittedAt = clock.now();
      },
      tooLate: () => lockNotFree(clock.now() - waitedSince),
    };
  }

  recalledWaits(): RecalledWait[] {
    const now = this.ports.clock.now();
    const waiters = this.waiters();
    const crowds = this.crowds.full();
    const first = new Set(this.crowds.firstOfEach(crowds));
    return [...this.ports.branches()].flatMap((local) => {
      const { key: branch, recalled, recalls, arrival, state } = local;
      if (!recalled || state.phase !== 'working') return [];
      const { wait, waitedSince, behind } = recalled;
      const queue = waiters.filter(
        (one) => one.behind === behind || this.crowds.share(crowds, local, one.local),
      );
      const before = (queue.length > 0 ? queue : waiters).map((one) => one.local.key);
      const id = `${arrival}.${recalls} without a session`;
      const ahead = first.has(local) ? this.crowds.preparedWith(crowds, local) : [];
      const waitingMs = now - waitedSince;
      return [{ branch, id, waitingMs, before, ahead, ...(wait ? { wait } : {}) }];
    });
  }

  suspect(branches: readonly BranchKey[]): void {
    const now = this.ports.clock.now();
    const gids = new Set<string>(branches.map(formatGid));
    let isNews = false;
    for (const local of this.ports.branches()) {
      if (!gids.has(local.gid) || !local.recalled || local.state.phase !== 'working') continue;
      const since = local.suspected?.since ?? now;
      local.suspected = { since, until: now + SUSPECTED_MS };
      isNews = true;
    }
    if (!isNews) return;
    this.ports.changed();
    this.watch();
  }

  /** Looks at what waits for locks for as long as anybody waits for a session. */
  watch(ms = LOOK_MS): void {
    const { clock } = this.ports;
    if (this.isOff || this.isLooking || clock.now() + ms >= this.dueAt) return;
    this.cancel?.();
    this.dueAt = clock.now() + ms;
    this.cancel = clock.after(ms, () => void this.lookAndGoOn());
  }

  private async lookAndGoOn(): Promise<void> {
    this.isLooking = true;
    await this.look().catch(() => undefined);
    this.isLooking = false;
    this.dueAt = Number.POSITIVE_INFINITY;
    const { waiting, fresh, suspected } = this.ports.demand();
    if (waiting > 0) this.watch(fresh + suspected > 0 ? LOOK_MS : LOOK_AGAIN_MS);
  }

  private async look(): Promise<void> {
    const { resource, changed, demand } = this.ports;
    const looked = [...this.ports.branches()].filter((one) => one.running && one.session);
    const sessions = looked.map((one) => one.session as Session);
    const seen = await resource.lockWaits(sessions);
    looked.forEach((local, at) => {
      const session = sessions[at] as Session;
      if (isAtWork(local, session)) this.note(local, seen.get(session));
    });
    this.noteCrowds();
    changed();
    const { share } = this;
    const recalled = waitersToRecall(this.waiters(), { share, demand: demand() });
    if (recalled.length === 0) return;
    this.remember(recalled.map(({ local }) => local));
    const ended = recalled.map(({ session }) => session);
    await resource.endLockWaits(ended, sessionRecalled());
  }

  private noteCrowds(): void {
    const waiters = this.waiters();
    for (const one of this.queues()) {
      this.crowds.seen(waiters.filter(({ behind }) => behind === one).map(({ local }) => local));
    }
  }

  /** Without a session the database no longer shows what they wait for: the last observation is reported. */
  private remember(recalled: readonly LocalBranch<Session>[]): void {
    const waits = this.ports.resource.waitsSeen();
    for (const local of recalled) {
      const { transaction, branch } = local.key;
      local.recalledFrom = waits.find(
        (one) => one.transaction === transaction && one.branch === branch,
      );
    }
  }

  private note(local: LocalBranch<Session>, behind: string | undefined): void {
    if (behind === undefined) {
      local.lockWait = undefined;
      return;
    }
    const now = this.ports.clock.now();
    const before = local.lockWait;
    const since = before?.since ?? now;
    const behindSince = before?.behind === behind ? before.behindSince : now;
    local.lockWait = { behind, since, behindSince };
  }

  private waiters(): Waiter<Session>[] {
    const now = this.ports.clock.now();
    const waiters: Waiter<Session>[] = [];
    for (const local of this.ports.branches()) {
      const { place, canRunAgain, lockWait, session } = local;
      if (!lockWait || session === undefined) continue;
      const { behind, since, behindSince } = lockWait;
      waiters.push({
        ...{ place, canRunAgain, behind, session, local },
        waitedMs: now - since,
        behindMs: now - behindSince,
        isKept: this.isKept(local),
      });
    }
    return waiters;
  }

  /** Whether it got a session because it may be in a cycle of waits, and may still be seen there. */
  private isKept({ suspected, runsAgain, lockWait, state }: LocalBranch<Session>): boolean {
    if (!suspected || state.phase !== 'working' || !(runsAgain || lockWait)) return false;
    return !lockWait || this.ports.clock.now() - lockWait.since < KEPT_MS;
  }
}

function isAtWork<Session>(
  { running, session }: LocalBranch<Session>,
  inSession: Session,
): boolean {
  return running && session === inSession;
}
