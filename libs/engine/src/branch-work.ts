/**
 * Operations that run in the session of a branch. Guards protocol §4.2: any failure in them ends the branch
 * with a no that carries no internals, and a branch whose session was recalled while it waited for a lock has
 * done nothing yet.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { overtaken, sessionRecalled } from './branch-refusals.js';
import type { Operations } from './branch-options.js';
import { VoteNoError } from './errors.js';
import { untilSessionEnds, type LocalBranch } from './local-branch.js';
import type { BranchPerformer } from './perform-branch.js';
import type { BranchKey, Clock, OperationCall, Resource } from './ports/index.js';

export type Work = { readonly outputs: readonly unknown[] } | { readonly vote: VoteAgainst };

export type Worked =
  | Work
  /** Its session is given back, its work undone; it may run again. */
  | { readonly recalled: true };

export class BranchWork<Session> {
  constructor(
    private readonly resource: Resource<Session>,
    private readonly operations: Operations<Session>,
    private readonly performer: BranchPerformer<Session>,
    private readonly clock: Clock,
  ) {}

  /** The calls as they will run, or why none of them will. */
  check(operations: readonly OperationCall[]): { calls: OperationCall[] } | { vote: VoteAgainst } {
    const calls: OperationCall[] = [];
    for (const call of operations) {
      const checked = this.operations.check(call);
      if ('kind' in checked) return { vote: checked };
      calls.push(checked);
    }
    return { calls };
  }

  /** Runs calls in the branch, as the first that run there: until its vote they may run again. */
  runFirst(local: LocalBranch<Session>, calls: readonly OperationCall[]): Promise<Worked> {
    local.canRunAgain = this.operations.mayRunAgain?.(calls) ?? true;
    return this.run(local, (session) => this.runAll(session, calls, local.key));
  }

  /** Runs calls of a branch that has worked before. */
  async runNext(local: LocalBranch<Session>, calls: readonly OperationCall[]): Promise<Work> {
    return this.runOnce(local, (session) => this.runAll(session, calls, local.key));
  }

  /** Runs work that cannot run again; any failure ends the branch with a no. */
  async runOnce(
    local: LocalBranch<Session>,
    work: (session: Session) => Promise<readonly unknown[]>,
  ): Promise<Work> {
    local.canRunAgain = false;
    const done = await this.run(local, work);
    return 'recalled' in done ? { vote: local.doomed ?? sessionRecalled() } : done;
  }

  /** A refusal is a vote; everything else is reported to the service, since the vote carries no internals. */
  noteFailure(error: unknown, call: OperationCall | undefined, key: BranchKey): void {
    if (!(error instanceof VoteNoError)) this.operations.failed?.(error, call, key);
  }

  private async run(
    local: LocalBranch<Session>,
    work: (session: Session) => Promise<readonly unknown[]>,
  ): Promise<Worked> {
    const { session } = local;
    if (session === undefined || local.state.phase !== 'working') {
      return { vote: local.doomed ?? overtaken() };
    }
    local.cancelLease?.();
    local.running = true;
    try {
      const outputs = await untilSessionEnds(local, work(session));
      if (outputs === undefined) return { vote: local.doomed ?? overtaken() };
      if (this.resource.isRecalled(session)) return await this.giveBack(local, session);
      if (local.state.phase === 'working' && local.state.work === 'open') {
        await this.performer.apply(local, { type: 'work-continued' });
      }
      return { outputs };
    } catch (error) {
      // However the operation handled it: what failed was the wait that others needed to end.
      if (this.resource.isRecalled(session)) return await this.giveBack(local, session);
      const vote = this.voteOf(error);
      await this.performer.apply(local, { type: 'refused', vote });
      return { vote: local.doomed ?? vote };
    } finally {
      local.running = false;
      local.runsAgain = false;
      local.suspected = undefined;
      local.lockWait = undefined;
    }
  }

  /**
   * Rolls back a branch that was recalled. Nothing of it was asked to prepare, so nothing can be prepared.
   * A crash here ends the session, and silence is a no.
   */
  private async giveBack(local: LocalBranch<Session>, session: Session): Promise<Worked> {
    if (local.session !== session || local.state.phase !== 'working') {
      return { vote: local.doomed ?? overtaken() };
    }
    if (!local.canRunAgain) {
      const vote = sessionRecalled();
      await this.performer.apply(local, { type: 'refused', vote });
      return { vote: local.doomed ?? vote };
    }
    local.takeSession();
    await this.resource.rollback(session, sessionRecalled());
    const { behind, since: waitedSince = this.clock.now() } = local.lockWait ?? {};
    const wait = local.recalledFrom;
    local.recalls += 1;
    local.recalled = {
      waitedSince,
      ...(behind === undefined ? {} : { behind }),
      ...(wait ? { wait } : {}),
    };
    this.operations.undone?.(local.key);
    return { recalled: true };
  }

  private async runAll(
    session: Session,
    calls: readonly OperationCall[],
    key: BranchKey,
  ): Promise<readonly unknown[]> {
    const outputs: unknown[] = [];
    for (const call of calls) {
      try {
        outputs.push((await this.operations.run(session, call, key)) ?? null);
      } catch (error) {
        this.noteFailure(error, call, key);
        throw error;
      }
    }
    return outputs;
  }

  private voteOf(error: unknown): VoteAgainst {
    if (error instanceof VoteNoError) return error.vote;
    return (
      this.resource.voteOf(error) ??
      protocolNo(NoCode.handlerFailed, 'The operation failed; see the service’s log.')
    );
  }
}
