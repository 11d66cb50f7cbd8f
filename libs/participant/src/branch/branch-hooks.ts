/**
 * What a service wants done once the outcome of a branch is known. Guards "after phase two, never
 * before": hooks run when this instance learns that the branch was committed or aborted, whichever process
 * finished it. They are in memory only: for effects that must survive this process, write an outbox row
 * in the branch instead.
 */
import { formatGid, type Gid } from '@concordat/protocol';
import type { BranchKey, Clock } from '@concordat/engine';
import { outsideBranch } from './branch-scope.js';

export type Hook = () => void | Promise<void>;
type Ending = 'committed' | 'aborted';

interface Registered {
  readonly branch: BranchKey;
  readonly committed: Hook[];
  readonly aborted: Hook[];
  readonly since: number;
}

export class BranchHooks {
  private readonly registered = new Map<Gid, Registered>();

  constructor(
    private readonly clock: Clock,
    private readonly failed: (error: unknown, branch: BranchKey) => void,
  ) {}

  add(branch: BranchKey, ending: Ending, hook: Hook): void {
    const gid = formatGid(branch);
    let hooks = this.registered.get(gid);
    if (!hooks) {
      hooks = { branch, committed: [], aborted: [], since: this.clock.now() };
      this.registered.set(gid, hooks);
    }
    hooks[ending].push(hook);
  }

  /** Runs the hooks of a branch, once. What a hook does wrong is reported and changes nothing. */
  ended(branch: BranchKey, ending: Ending): void {
    const gid = formatGid(branch);
    const hooks = this.registered.get(gid);
    if (!hooks) return;
    this.registered.delete(gid);
    for (const hook of hooks[ending]) {
      // An ended branch may have been reported in the context of another branch, which it must not join.
      outsideBranch(() => Promise.resolve().then(hook)).catch((error: unknown) =>
        this.failed(error, branch),
      );
    }
  }

  /** A branch that wrote nothing has no outcome of its own: its hooks never run. */
  forget(branch: BranchKey): void {
    this.registered.delete(formatGid(branch));
  }

  /** Branches whose outcome has not arrived for `ms`: another instance may have finished them. */
  waitingLongerThan(ms: number): BranchKey[] {
    const before = this.clock.now() - ms;
    return [...this.registered.values()]
      .filter((one) => one.since < before)
      .map((one) => one.branch);
  }
}
