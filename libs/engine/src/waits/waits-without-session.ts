/**
 * What branches wait for, including those that gave their session back while they waited for a lock: the
 * database does not show them, and they still wait. Guards "a cycle is searched wherever its waits are": such
 * a branch is reported to wait for what the branches ahead of it here wait for. That says where to look, and
 * is never confirmed by a second look: asked about it, this instance lets the branch run again, so that it
 * waits where the database shows it.
 */
import {
  HOLDERS_MAX,
  type BranchKey,
  type BranchWait,
  type Resource,
  type WaitHolder,
} from '../ports/index.js';

/** A branch that waits without a session. */
export interface RecalledWait {
  readonly branch: BranchKey;
  /** Names this wait from the loss of its session to the next one. */
  readonly id: string;
  readonly waitingMs: number;
  /** Its wait as it was seen when its session was recalled, if it was seen. */
  readonly wait?: BranchWait;
  /** Branches in sessions whose waits keep it from running. */
  readonly before: readonly BranchKey[];
  /** Prepared branches that probably hold what it would wait for. */
  readonly ahead?: readonly BranchKey[];
}

export interface WaitingBranches {
  /** Branches that wait without a session. */
  recalledWaits(): readonly RecalledWait[];
  /** Those of them that wait without a session may be in a cycle of waits: they run again at once. */
  suspect(branches: readonly BranchKey[]): void;
}

/** For one branch: it is reported to wait for at most so many times {@link HOLDERS_MAX} others. */
const ENTRIES_MAX = 4;

export class WaitsWithoutSession {
  constructor(
    private readonly resource: Pick<Resource, 'waits'>,
    private readonly branches: () => WaitingBranches,
  ) {}

  /** What is to be reported. Rejects when the database cannot be asked: then nothing is known. */
  async waits(): Promise<readonly BranchWait[]> {
    const seen = await this.resource.waits();
    const recalled = this.branches().recalledWaits();
    if (recalled.length === 0) return seen;
    return [...seen, ...recalled.flatMap((one) => told(one, seen))];
  }

  /** What these branches wait for in their sessions, seen after this call began. Rejects as `waits` does. */
  async lookAgain(among: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    this.branches().suspect(among);
    return this.resource.waits(among);
  }
}

/**
 * A branch that waits here itself blocks it only as long as others keep that branch waiting: so it is
 * reported to wait for those others alone.
 */
function told(
  { branch: key, id, waitingMs, wait, before, ahead = [] }: RecalledWait,
  seen: readonly BranchWait[],
): BranchWait[] {
  const { transaction, branch } = key;
  const waiting = new Set(seen.map(branchName));
  const standing = new Set(before.map(branchName));
  const holders = new Map<string, WaitHolder>();
  for (const { transaction: by, branch: its } of ahead) {
    const holder: WaitHolder = { kind: 'branch', transaction: by, branch: its, isPrepared: true };
    if (by !== transaction) holders.set(nameOf(holder), holder);
  }
  for (const one of seen) {
    if (!standing.has(branchName(one))) continue;
    for (const holder of one.holders) {
      const isOwn = holder.kind === 'branch' && holder.transaction === transaction;
      if (!isOwn && !waiting.has(nameOf(holder))) holders.set(nameOf(holder), holder);
    }
  }
  return inEntries([...holders.values()]).map((some, at): BranchWait => ({
    ...{ transaction, branch, withoutSession: true, waitingMs: Math.round(waitingMs) },
    ...{ id: `${id}.${at}`, on: wait?.on ?? { kind: 'session' }, holders: some },
  }));
}

/** One entry cannot name them all where many sessions may wait. */
function inEntries(holders: readonly WaitHolder[]): WaitHolder[][] {
  return Array.from(
    { length: Math.min(ENTRIES_MAX, Math.ceil(holders.length / HOLDERS_MAX)) },
    (_, at) => holders.slice(at * HOLDERS_MAX, (at + 1) * HOLDERS_MAX),
  );
}

function branchName({ transaction, branch }: Pick<BranchWait, 'transaction' | 'branch'>): string {
  return `${transaction}/${branch}`;
}

/** Distinguishes holders. */
export function nameOf(holder: WaitHolder): string {
  switch (holder.kind) {
    case 'branch':
      return branchName(holder);
    case 'session':
      return `session ${holder.pid}`;
    case 'prepared':
      return `prepared ${holder.gid}`;
  }
}
