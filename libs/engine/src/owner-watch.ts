/**
 * Inquires about branches that have not voted and whose owner has sent nothing for a while: the owner may be
 * gone, and the branches hold row locks. Guards liveness: such locks are freed within seconds, not when the
 * idle lease or the transaction's time is over. And safety: a branch is rolled back only if a coordinator
 * says that its transaction is aborted, or over and pruned: an abort is on record, or the owner is gone or
 * has ended it. A missing answer is no such reason. A branch that has not prepared may be rolled back at any
 * time; without such an answer it is kept, because its owner may live.
 *
 * Crash windows: an abort that was recorded and whose answer is lost is the answer to the next question; a
 * participant that dies has no open branches any more.
 */
import type { BranchManager } from './branch-manager.js';
import type { LocalBranch } from './local-branch.js';
import { forEachAtMost } from './pause.js';
import type { BranchKey, Clock, CoordinatorChannel, InquiryAnswer } from './ports/index.js';

export interface OwnerWatchPorts {
  readonly coordinators: CoordinatorChannel;
  readonly clock: Clock;
}

export interface OwnerWatchOptions {
  /** Questions under way at once. */
  readonly concurrency: number;
  /** Called with branches that were rolled back because an abort of their transaction is on record. */
  readonly onFreed?: (branch: BranchKey) => void;
}

/** Time without a message: the next call of a living client usually comes sooner. */
const QUIET_MS = 1_000;
const PERIOD_MS = 1_000;

export class OwnerWatch<Session> {
  private cancel?: () => void;
  private stopped = false;
  private asking?: Promise<void>;

  constructor(
    private readonly ports: OwnerWatchPorts,
    private readonly manager: BranchManager<Session>,
    private readonly options: OwnerWatchOptions,
  ) {}

  start(): void {
    this.stopped = false;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.asking;
  }

  /** Asks about every branch that is quiet now. Never rejects. */
  async pass(quietMs = QUIET_MS): Promise<void> {
    const before = this.ports.clock.now() - quietMs;
    const quiet = this.manager.unvoted().filter(({ heardAt }) => heardAt <= before);
    const { concurrency } = this.options;
    await forEachAtMost(concurrency, quiet, (local) => this.ask(local)).catch(() => undefined);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.cancel = this.ports.clock.after(PERIOD_MS, () => {
      this.asking = this.pass().finally(() => this.schedule());
    });
  }

  private async ask(local: LocalBranch<Session>): Promise<void> {
    if (this.stopped) return;
    const { transaction, branch, participant } = local.key;
    const inquiry = { transaction, branch, participant, unvoted: true } as const;
    const answer = await this.ports.coordinators.inquire(inquiry);
    if (answer.kind !== 'answered' || !isNoLongerWanted(answer.answer)) return;
    // A branch that has voted meanwhile is no longer ours. One that only read gets "abort" as the answer for
    // a commit.
    if (local.state.phase !== 'working') return;
    this.options.onFreed?.(local.key);
    await this.manager.giveUp(local);
  }
}

/** Aborted, or ended without this branch: a commit has none that did not vote. */
function isNoLongerWanted(answer: InquiryAnswer): boolean {
  return answer.kind === 'forgotten' || (answer.kind === 'decided' && answer.decision === 'abort');
}
