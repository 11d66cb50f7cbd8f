/**
 * What branches wait for, those included that gave their session back while they waited for a lock: the
 * database shows nothing of them, and they wait all the same. Guards "a cycle is seen wherever its waits
 * are": such a branch waits for what it was last seen to wait for, as long as a session here is seen to
 * wait for the same; one keeps its session for that. Who is seen no longer may have ended, and is not told.
 */
import type { BranchKey, BranchWait, Resource, WaitHolder } from '../ports/index.js';

/** A wait as it was seen when its session was recalled. */
export interface RecalledWait {
  readonly branch: BranchKey;
  readonly wait: BranchWait;
  /** How long ago that was, ms. */
  readonly sinceMs: number;
}

export interface WaitingBranches {
  /** Branches that wait without a session. */
  recalledWaits(): readonly RecalledWait[];
  /** Branches whose statement was last seen to wait for a lock. */
  lockWaiters(): readonly BranchKey[];
}

export class WaitsWithoutSession implements Pick<Resource, 'waits'> {
  constructor(
    private readonly resource: Pick<Resource, 'waits'>,
    private readonly branches: () => WaitingBranches,
  ) {}

  /** As {@link Resource.waits}. Rejects when the database cannot be asked: then nothing is known. */
  async waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    const branches = this.branches();
    const isAsked = ({ transaction, branch }: BranchWait | BranchKey): boolean =>
      !among || among.some((one) => one.transaction === transaction && one.branch === branch);
    const recalled = branches.recalledWaits().filter(({ branch }) => isAsked(branch));
    if (recalled.length === 0) return this.resource.waits(among);
    const seen = await this.resource.waits(among && [...among, ...branches.lockWaiters()]);
    const held = new Set(seen.flatMap(({ holders }) => holders.map(nameOf)));
    const still = recalled.flatMap(({ wait, sinceMs }): BranchWait[] => {
      const holders = wait.holders.filter((one) => held.has(nameOf(one)));
      return holders.length > 0
        ? [
            {
              ...{ ...wait, holders, withoutSession: true },
              waitingMs: wait.waitingMs + Math.round(sinceMs),
            },
          ]
        : [];
    });
    return [...seen.filter(isAsked), ...still];
  }
}

/** Tells holders apart. */
export function nameOf(holder: WaitHolder): string {
  switch (holder.kind) {
    case 'branch':
      return `${holder.transaction}/${holder.branch}`;
    case 'session':
      return `session ${holder.pid}`;
    case 'prepared':
      return `prepared ${holder.gid}`;
  }
}
