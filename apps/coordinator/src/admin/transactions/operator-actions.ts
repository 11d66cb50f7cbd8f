/**
 * What operators do to a transaction, carried out by the code that exists: the manager's retries, the
 * recoverer's take-over, the register's compare-and-set, a participant's answer. Guards "show effects, not
 * submissions": each action waits, within bounds, for the result at every branch it concerns.
 */
import { type Situation, waitingBranches } from '@concordat/diagnosis';
import type { BranchResultResource } from '@concordat/api';
import { NothingToResolve, PostgresDecisionRegister } from '@concordat/decision-log';
import {
  OrphanSettler,
  Recoverer,
  TransactionManager,
  type BranchView,
  type ForcedFinish,
  type OrphanFinish,
} from '@concordat/engine';
import type { BranchId, Decision, TransactionId } from '@concordat/protocol';
import { Injectable } from '@nestjs/common';
import { Problem } from '../../problems/problem.js';
import { AnyCoordinator } from '../../transactions/any-coordinator.js';
import { Identity } from '../../platform/identity.js';
import type { Operator } from '../../access/acting.js';

type Result = BranchResultResource;

@Injectable()
export class OperatorActions {
  constructor(
    private readonly manager: TransactionManager,
    private readonly recoverer: Recoverer,
    private readonly settler: OrphanSettler,
    private readonly anywhere: AnyCoordinator,
    private readonly register: PostgresDecisionRegister,
    private readonly identity: Identity,
  ) {}

  /** Delivers the decision again now, to one branch or to all that wait. */
  async retry(situation: Situation, branch: string | undefined, waitMs: number): Promise<Result[]> {
    const { known } = situation;
    const id = known.transaction;
    const targets = waitingBranches(situation).filter(
      (one) => branch === undefined || one.branch === branch,
    );
    if (!this.manager.view(id)) await this.recoverer.pass();
    if (this.manager.view(id)) return this.deliver(id, targets, waitMs);
    // Another coordinator finishes it. The decision is on record, so delivering it again is harmless.
    return Promise.all(
      targets.map(async (one) => {
        const { branch: ordinal, participant } = one;
        const orphan = { transaction: id, branch: ordinal, participant };
        return finishResult(one, await this.settler.finish(orphan));
      }),
    );
  }

  /** Records an abort, whichever coordinator owns the transaction, and waits for its branches. */
  async abort(
    { known }: Situation,
    reason: string,
    { by, role }: Operator,
    waitMs: number,
  ): Promise<void> {
    await this.anywhere.rollback(
      known.transaction,
      { reason: `operator ${by}: ${reason}` },
      { id: by, scope: role },
      { until: 'completed', waitMs },
    );
  }

  /** Records how a heuristic outcome was reconciled: of what was seen; what was found since waits. */
  async acknowledge({ known }: Situation, by: string, reason: string): Promise<Result[]> {
    const id = known.transaction;
    const seen = known.branches.flatMap(({ branch, outcome }) =>
      outcome?.kind === 'heuristic' ? [branch] : [],
    );
    try {
      const resolution = { by, reason, branches: seen };
      const { branches } = await this.register.resolveHeuristic(id, resolution);
      return known.branches
        .filter((one) => branches.includes(one.branch))
        .map(({ branch, participant }) => ({ branch, participant, result: 'done' as const }));
    } catch (error) {
      if (!(error instanceof NothingToResolve)) throw error;
      throw new Problem('not-offered', 'It was acknowledged meanwhile. Nothing was done.', {
        transactionId: id,
      });
    }
  }

  /** Finishes a branch whose decision is no longer known, as the operator says. */
  async force(
    { transaction }: { readonly transaction: TransactionId },
    { branch, participant }: Pick<BranchView, 'branch' | 'participant'>,
    decision: Decision,
  ): Promise<Result> {
    const forced = await this.settler.force({ transaction, branch, participant }, decision);
    if (forced.kind !== 'not-forgotten') return finishResult({ branch, participant }, forced);
    const why =
      forced.standing === undefined
        ? 'The register can still decide it, or cannot be asked.'
        : `${forced.standing.toUpperCase()} is on record in the register: finish it by that.`;
    throw new Problem('not-offered', `${why} Nothing was done.`, { transactionId: transaction });
  }

  /** What became of each branch of an abort that was asked for, as it is known now. */
  afterAbort({ known }: Situation): Result[] {
    return known.branches.map((one) => attemptResult(one, known.decision));
  }

  /** Ends the backoff and waits until each attempt has brought an answer or failed. */
  private async deliver(
    id: TransactionId,
    targets: readonly BranchView[],
    waitMs: number,
  ): Promise<Result[]> {
    const { clock } = this.identity;
    const until = clock.now() + waitMs;
    const [only, ...others] = targets;
    this.manager.retryNow(id, others.length === 0 ? only?.branch : undefined);
    for (;;) {
      const view = this.manager.view(id);
      const now = new Map(view?.branches.map((one) => [one.branch, one]) ?? []);
      const leftMs = until - clock.now();
      const isOver = targets.every((one) => isAnswered(one, now.get(one.branch)));
      if (!view || isOver || leftMs <= 0) {
        return targets.map((one) => attemptResult(now.get(one.branch) ?? one, view?.decision));
      }
      await this.manager.wait(id, { versionAbove: view.version }, leftMs);
    }
  }
}

/** Whether an attempt that was begun, or under way, since `before` has come to its end. */
function isAnswered(before: BranchView, now: BranchView | undefined): boolean {
  if (!now || now.outcome) return true;
  if (now.nextAttemptAtMs === undefined) return false;
  return now.attempts > before.attempts || before.nextAttemptAtMs === undefined;
}

function attemptResult(branch: BranchView, decision: Decision | undefined): Result {
  const { branch: ordinal, participant, outcome, lastError, nextAttemptAtMs, vote } = branch;
  const about = { branch: ordinal, participant };
  if (outcome?.kind === 'heuristic') {
    return { ...about, result: 'refused', detail: outcome.evidence.explanation };
  }
  if (outcome) return { ...about, result: 'done', detail: `${outcome.kind}, and acknowledged` };
  if (vote?.kind === 'no' || vote?.kind === 'read-only') {
    return { ...about, result: 'nothing-to-do', detail: `it voted ${vote.kind}` };
  }
  if (nextAttemptAtMs === undefined || lastError === undefined) {
    return { ...about, result: 'sent', detail: `${decision ?? 'sent'}, and not answered yet` };
  }
  return {
    ...about,
    result: isUnreached(lastError) ? 'unreachable' : 'refused',
    detail: lastError,
  };
}

/** The manager's own words for a participant without responders, and the channel's for a missing answer. */
function isUnreached(error: string): boolean {
  return /no instance|no answer|within|not connected|time/i.test(error);
}

function finishResult(
  { branch, participant }: { readonly branch: BranchId; readonly participant: string },
  finish: OrphanFinish | Exclude<ForcedFinish, { readonly kind: 'not-forgotten' }>,
): Result {
  const about = { branch, participant };
  switch (finish.kind) {
    case 'finished':
      return finish.outcome.kind === 'heuristic'
        ? { ...about, result: 'refused', detail: finish.outcome.evidence.explanation }
        : { ...about, result: 'done', detail: `${finish.outcome.kind}, and acknowledged` };
    case 'unreachable':
      return { ...about, result: finish.certain ? 'unreachable' : 'sent', detail: finish.why };
    case 'not-yet':
      return { ...about, result: 'refused', detail: `not now: ${finish.reason}` };
    case 'refused':
      return { ...about, result: 'refused', detail: finish.reason };
    case 'undecided':
      return {
        ...about,
        result: 'nothing-to-do',
        detail: 'nothing is decided, or it is not known',
      };
    case 'forgotten':
      return {
        ...about,
        result: 'nothing-to-do',
        detail: 'past retention: the decision is no longer known',
      };
  }
}
