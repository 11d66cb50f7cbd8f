/**
 * Sessions that wait for locks, and whether others may have them. Guards "waiting starves nobody": while
 * branches wait for sessions here, those at work are looked at, and some that wait for a lock give theirs
 * back (`lock-share.ts` says which). They keep their place, and run again when what they waited for is
 * over, a few at a time.
 *
 * A look that fails changes nothing: whom branches wait for is not known then, and none is recalled.
 */
import { sessionRecalled } from './branch-refusals.js';
import type { LocalBranch } from './local-branch.js';
import { stuckQueues, waitersToRecall, type LockWaiter, type SessionDemand } from './lock-share.js';
import type { Room } from './admission.js';
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
  /** Sessions that may wait while others need one. Absent: each that waits keeps its session. */
  readonly lockWaitersMax?: number;
}

interface Waiter<Session> extends LockWaiter {
  readonly session: Session;
  readonly local: LocalBranch<Session>;
}

const LOOK_MS = 30;

export class LockRoom<Session> implements Room, WaitingBranches {
  private readonly share?: number;
  private armed = false;

  constructor(
    private readonly ports: LockRoomPorts<Session>,
    { lockWaitersMax }: LockRoomOptions,
  ) {
    if (lockWaitersMax !== undefined) this.share = Math.max(1, lockWaitersMax);
  }

  queues(): ReadonlySet<string | undefined> {
    return new Set(this.waiters().map(({ behind }) => behind));
  }

  hasRoom(before: number): boolean {
    if (this.share === undefined) return true;
    let crowd = 0;
    for (const { arrival, lockWait, runsAgain, state } of this.ports.branches()) {
      if (arrival < before && state.phase === 'working' && (lockWait || runsAgain)) crowd += 1;
    }
    return crowd - stuckQueues(this.waiters()) < this.share;
  }

  recalledWaits(): RecalledWait[] {
    const now = this.ports.clock.now();
    return [...this.ports.branches()].flatMap(({ key: branch, recalled, state }) => {
      const isWaiting = recalled?.wait && state.phase === 'working';
      return isWaiting ? [{ branch, wait: recalled.wait, sinceMs: now - recalled.at }] : [];
    });
  }

  lockWaiters(): BranchKey[] {
    return this.waiters().map(({ local }) => local.key);
  }

  /** Looks at what waits for locks for as long as anybody waits for a session. */
  watch(): void {
    if (this.armed || this.share === undefined) return;
    this.armed = true;
    this.ports.clock.after(LOOK_MS, () => {
      void this.look()
        .catch(() => undefined)
        .finally(() => {
          this.armed = false;
          if (this.ports.demand().waiting > 0) this.watch();
        });
    });
  }

  private async look(): Promise<void> {
    const { resource, changed, demand } = this.ports;
    const looked = [...this.ports.branches()].filter((one) => one.running && one.session);
    const sessions = looked.map((one) => one.session as Session);
    const seen = await resource.lockWaits(sessions);
    looked.forEach((local, at) => {
      if (local.running && local.session === sessions[at]) {
        this.note(local, seen.get(sessions[at] as Session));
      }
    });
    changed();
    const { share } = this;
    if (share === undefined) return;
    const recalled = waitersToRecall(this.waiters(), { share, demand: demand() });
    if (recalled.length === 0) return;
    await this.remember(recalled.map(({ local }) => local));
    const ended = recalled.map(({ session }) => session);
    await resource.endLockWaits(ended, sessionRecalled());
  }

  /** Without a session nobody sees any more what they wait for: it is told as it was seen last. */
  private async remember(recalled: readonly LocalBranch<Session>[]): Promise<void> {
    const waits = await this.ports.resource.waits(recalled.map(({ key }) => key));
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
      const { arrival, canRunAgain, lockWait, session } = local;
      if (!lockWait || session === undefined) continue;
      const { behind, since, behindSince } = lockWait;
      waiters.push({
        ...{ arrival, canRunAgain, behind, session, local },
        waitedMs: now - since,
        behindMs: now - behindSince,
      });
    }
    return waiters;
  }
}
