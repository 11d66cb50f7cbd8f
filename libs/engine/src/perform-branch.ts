/**
 * The one place where a branch's step is performed: the database first, in the stated order, then
 * what may be said, then timers. Guards protocol §4.2 and §4.4: no yes before PREPARE answered with
 * its tag, no acknowledgement before the database said what became of the branch.
 *
 * Crash windows, in order:
 *   work done, not prepared         the session dies with the process: nothing is there
 *   prepared, vote not sent         in doubt: the resolver inquires
 *   finished, not acknowledged      the repeat is answered from the outcome row or the tombstone
 */
import {
  NoCode,
  protocolNo,
  stepBranch,
  type AbortResult,
  type BranchEvent,
  type BranchMessage,
  type BranchOutcome,
  type BranchRecord,
  type BranchTimer,
  type CommitResult,
  type PrepareResult,
  type Vote,
} from '@concordat/protocol';
import { libraryFailed } from './branch-refusals.js';
import type { LocalBranch } from './local-branch.js';
import { within } from './pause.js';
import type { Begun, Clock, Resource } from './ports/index.js';

const CLOSING_PATIENCE_MS = 250;

export interface BranchPerformerListener<Session> {
  finished(local: LocalBranch<Session>, outcome: BranchOutcome): void;
  /** The branch has ended here, or the database holds it as prepared. */
  settled(local: LocalBranch<Session>): void;
  leaseExpired(local: LocalBranch<Session>): void;
  /** The resource threw: it never should. */
  broke(local: LocalBranch<Session>, error: unknown): void;
}

export class BranchPerformer<Session> {
  private readonly resource: Resource<Session>;
  private readonly clock: Clock;
  private readonly closingPatienceMs: number;

  constructor(
    { resource, clock }: { readonly resource: Resource<Session>; readonly clock: Clock },
    { closingPatienceMs = CLOSING_PATIENCE_MS }: { readonly closingPatienceMs?: number },
    private readonly listener: BranchPerformerListener<Session>,
  ) {
    this.resource = resource;
    this.clock = clock;
    this.closingPatienceMs = closingPatienceMs;
  }

  /**
   * Steps the machine with one event and performs what it returns. Resolves with the vote, if the
   * step let one be said. Throws what the machine throws.
   */
  async apply(local: LocalBranch<Session>, event: BranchEvent): Promise<Vote | undefined> {
    const step = stepBranch(local.state, event);
    local.state = step.state;
    let vote: Vote | undefined;
    for (const timer of step.timers) if (timer.type === 'cancel-lease') this.setTimer(local, timer);
    for (const record of step.records) vote = (await this.perform(local, record)) ?? vote;
    for (const message of step.messages) vote = this.say(local, message) ?? vote;
    for (const timer of step.timers) if (timer.type === 'lease') this.setTimer(local, timer);
    if (step.state.phase === 'ended' && local.state === step.state) this.listener.settled(local);
    return vote;
  }

  /**
   * Begins the session of a branch. A resource that fails at it has begun nothing that could be
   * prepared, so that is a no like another.
   */
  async begin(
    local: LocalBranch<Session>,
    limits: { readonly timeLeftMs: number; readonly idleLeaseMs?: number },
  ): Promise<Begun<Session>> {
    try {
      return await this.resource.begin(local.key, limits);
    } catch (error) {
      this.listener.broke(local, error);
      return { kind: 'no', vote: libraryFailed() };
    }
  }

  private async perform(
    local: LocalBranch<Session>,
    record: BranchRecord,
  ): Promise<Vote | undefined> {
    switch (record.type) {
      case 'rollback': {
        const session = local.takeSession();
        if (session !== undefined) await this.resource.rollback(session, local.doomed);
        return undefined;
      }
      case 'prepare':
        return this.apply(local, { type: 'prepare-answered', result: await this.prepare(local) });
      case 'commit':
        return this.apply(local, { type: 'commit-answered', result: await this.commit(local) });
      case 'abort':
        return this.apply(local, { type: 'abort-answered', result: await this.abort(local) });
    }
  }

  private async prepare(local: LocalBranch<Session>): Promise<PrepareResult> {
    const session = local.takeSession();
    if (session === undefined) {
      const vote = protocolNo(NoCode.branchLost, 'The open work of this branch is gone.');
      return { kind: 'rolled-back', vote };
    }
    const closing = this.resource.prepare(local.key, session);
    local.closing = closing;
    try {
      return await closing;
    } catch (error) {
      this.listener.broke(local, error);
      return { kind: 'unknown', reason: reasonOf(error), vote: libraryFailed() };
    } finally {
      local.closing = undefined;
    }
  }

  private async commit(local: LocalBranch<Session>): Promise<CommitResult> {
    try {
      return await this.resource.commit(local.key);
    } catch (error) {
      return { kind: 'unknown', reason: reasonOf(error) };
    }
  }

  private async abort(local: LocalBranch<Session>): Promise<AbortResult> {
    // Beside a PREPARE under way the tombstone would wait for the row of the branch until it gives up; a moment
    // later there is something to roll back. It is only a choice of the moment: what hangs is not waited for.
    const closed = local.closing?.catch(() => undefined);
    const patienceMs = this.closingPatienceMs;
    if (closed && patienceMs > 0) await within(this.clock, patienceMs, closed, undefined);
    try {
      return await this.resource.abort(local.key);
    } catch (error) {
      return { kind: 'unknown', reason: reasonOf(error) };
    }
  }

  private say(local: LocalBranch<Session>, message: BranchMessage): Vote | undefined {
    switch (message.type) {
      case 'vote':
        if (local.state.phase === 'prepared') local.preparedAt = this.clock.now();
        if (message.vote.kind === 'committed') this.listener.finished(local, { kind: 'committed' });
        if (message.vote.kind === 'no') local.doomed = message.vote;
        return message.vote;
      case 'acknowledge':
        this.listener.finished(local, message.outcome);
        local.answerFinishWaiters({ kind: 'acknowledged', outcome: message.outcome });
        return undefined;
      case 'not-yet':
        local.preparedAt ??= this.clock.now();
        local.answerFinishWaiters({
          ...{ kind: 'not-yet', reason: message.reason },
          ...(message.forgotten ? { forgotten: true } : {}),
        });
        return undefined;
    }
  }

  private setTimer(local: LocalBranch<Session>, timer: BranchTimer): void {
    local.cancelLease?.();
    local.cancelLease = undefined;
    if (timer.type === 'lease') {
      local.cancelLease = this.clock.after(local.idleLeaseMs, () =>
        this.listener.leaseExpired(local),
      );
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
