/**
 * Asks what became of branches that have not voted and of which nothing was heard for a while: their
 * owner may be gone, and they hold row locks. Guards liveness: such locks are freed within seconds, not
 * when the idle lease or the transaction's time is over. And safety: it is rolled back what a coordinator
 * says is aborted, or over and forgotten: where an abort stands, where the owner is gone or has ended it,
 * never where it is only silent. A branch that has not prepared may be rolled back at any time; without
 * such an answer it is kept, for its owner may live.
 *
 * Crash windows: an abort that was made to stand and not told here is told to the next question; a
 * participant that dies here has no open branches any more.
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
  /** Hears of branches that were rolled back because their transaction stands aborted. */
  readonly onFreed?: (branch: BranchKey) => void;
}

/** So long nothing was heard: the next call of a living client is usually sooner. */
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
    // What has voted meanwhile is not ours any more. One that only read is told "abort" by a commit.
    if (local.state.phase !== 'working') return;
    this.options.onFreed?.(local.key);
    await this.manager.giveUp(local);
  }
}

/** Aborted, or ended without this branch: a commit has none that did not vote. */
function isNoLongerWanted(answer: InquiryAnswer): boolean {
  return answer.kind === 'forgotten' || (answer.kind === 'decided' && answer.decision === 'abort');
}
