/**
 * Actions on a transaction, guarded. Guards, in this order: what was seen is still so (If-Match), the
 * caller may, the action is offered, what it needs was given; then it is audited, carried out, and answered
 * with what it did. The offered list that people see is the list that is asked here.
 */
import { includes } from '../../platform/api-key.js';
import { forbidden } from '../../access/api-key.guard.js';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import {
  entryOf,
  offeredActions,
  type Situation,
  summaryOf,
  waitingBranches,
} from '@concordat/diagnosis';
import type {
  ActionBody,
  ActionName,
  ActionResultResource,
  BranchResultResource,
  OfferedActionResource,
} from '@concordat/api';
import type { TransactionId } from '@concordat/protocol';
import { Inject, Injectable } from '@nestjs/common';
import { invalidRequest, Problem } from '../../problems/problem.js';
import { transactionResource } from '../../transactions/transaction.resource.js';
import { Audited } from '../../access/audited.js';
import type { Operator } from '../../access/acting.js';
import { assertSaysWhatWasSeen, assertUnchanged } from '../if-match.js';
import { ParticipantsWatch } from '../../known/participants-watch.js';
import { OperatorActions } from './operator-actions.js';
import { assertForceEnabled, assertGiven } from './guards.js';
import { etagOf } from './situation-tag.js';
import { Situations } from './situations.js';

/** A delivery waits five seconds for its answer. */
const ACT_MS = 6_000;

@Injectable()
export class TransactionActions {
  constructor(
    private readonly situations: Situations,
    private readonly operatorActions: OperatorActions,
    private readonly audited: Audited,
    private readonly watch: ParticipantsWatch,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  async act(
    id: TransactionId,
    body: ActionBody,
    ifMatch: string | undefined,
    operator: Operator,
  ): Promise<ActionResultResource> {
    const subject = { name: 'transaction', transactionId: id } as const;
    assertSaysWhatWasSeen(ifMatch, subject);
    this.assertRole(body.action, operator);
    const situation = await this.situations.of(id);
    const etag = etagOf(situation);
    const { status } = situation.known;
    const members = { transactionStatus: status };
    assertUnchanged(ifMatch, etag, subject, { is: status, members });
    const entry = this.entry(situation, body);
    assertGiven(entry.needs, body);
    const asked = {
      action: body.action,
      transaction: id,
      ...(body.branch === undefined ? {} : { branch: body.branch }),
      ...(body.reason === undefined ? {} : { reason: body.reason }),
      ...(body.ticket === undefined ? {} : { ticket: body.ticket }),
      before: { ...shortOf(situation), etag, consequence: entry.consequence },
    };
    const { auditId, result } = await this.audited.run(
      operator,
      asked,
      () => this.carryOut(situation, body, operator),
      ({ branches, after }) => ({ branches, ...shortOf(after) }),
    );
    const { branches, after } = result;
    this.watch.changed();
    return {
      transactionId: id,
      action: body.action,
      branches,
      summary: summaryOf(body.action, branches, after),
      auditId,
      transaction: transactionResource(after.known, after.nowMs, 'viewer'),
      etag: etagOf(after),
    };
  }

  private async carryOut(
    situation: Situation,
    { action, branch, reason = '', ticket }: ActionBody,
    operator: Operator,
  ): Promise<{ readonly branches: BranchResultResource[]; readonly after: Situation }> {
    switch (action) {
      case 'retry': {
        const branches = await this.operatorActions.retry(situation, branch, ACT_MS);
        return { branches, after: await this.after(situation) };
      }
      case 'abort': {
        await this.operatorActions.abort(situation, reason, operator, ACT_MS);
        const after = await this.after(situation);
        return { branches: this.operatorActions.afterAbort(after), after };
      }
      case 'acknowledge': {
        const told = ticket === undefined ? reason : `${reason} (${ticket})`;
        const branches = await this.operatorActions.acknowledge(situation, operator.by, told);
        return { branches, after: await this.after(situation) };
      }
      case 'force-commit-branch':
      case 'force-abort-branch': {
        const decision = action === 'force-commit-branch' ? 'commit' : 'abort';
        const target = situation.known.branches.find((one) => one.branch === branch);
        if (!target) throw notOffered(situation, 'It has no such branch.');
        const result = await this.operatorActions.force(situation.known, target, decision);
        return { branches: [result], after: await this.after(situation) };
      }
    }
  }

  /** How it is afterwards; as it was, where nothing of it is left to look at. */
  private async after(before: Situation): Promise<Situation> {
    this.watch.changed();
    try {
      return await this.situations.of(before.known.transaction);
    } catch (error) {
      if (error instanceof Problem && error.code === 'unknown-or-forgotten') return before;
      throw error;
    }
  }

  private assertRole(action: ActionName, { by, role }: Operator): void {
    if (!action.startsWith('force')) return;
    if (!includes(role, 'force')) throw forbidden({ id: by, scope: role }, 'force');
    assertForceEnabled(this.config);
  }

  /** The offered entry of a request. Throws the problem of one that is not offered. */
  private entry(situation: Situation, { action, branch }: ActionBody): OfferedActionResource {
    const { known } = situation;
    const isForce = action.startsWith('force');
    if (branch !== undefined && !known.branches.some((one) => one.branch === branch)) {
      const numbers = known.branches.map((one) => one.branch).join(', ');
      const message = `is not one of its branches: ${numbers || 'it has none'}`;
      throw invalidRequest([{ field: 'branch', message }]);
    }
    if (isForce && branch === undefined) {
      throw invalidRequest([{ field: 'branch', message: 'must name the branch to force' }]);
    }
    if (!isForce && action !== 'retry' && branch !== undefined) {
      const message = 'must be absent: the action is about the whole transaction';
      throw invalidRequest([{ field: 'branch', message }]);
    }
    const offered = offeredActions(situation, this.config);
    const entry = entryOf(offered, action, isForce ? branch : undefined);
    if (!entry) throw notOffered(situation, 'The branch is in a state in which nothing is forced.');
    if (!entry.offered) throw notOffered(situation, entry.because ?? 'It is not offered now.');
    const waits = waitingBranches(situation).some((one) => one.branch === branch);
    if (action === 'retry' && branch !== undefined && !waits) {
      throw notOffered(situation, 'The branch has answered: there is nothing to deliver to it.');
    }
    return entry;
  }
}

function notOffered({ known }: Situation, because: string): Problem {
  return new Problem('not-offered', `${because} Nothing was done.`, {
    transactionId: known.transaction,
    retryable: false,
    members: {
      transactionStatus: known.status,
      ...(known.decision ? { decision: known.decision } : {}),
    },
  });
}

/** What the audit keeps of how a transaction was. */
function shortOf({ known }: Situation): Readonly<Record<string, unknown>> {
  return {
    status: known.status,
    ...(known.decision ? { decision: known.decision } : {}),
    outcomes: Object.fromEntries(
      known.branches.map(({ participant, outcome, vote }) => [
        participant,
        outcome?.kind ?? (vote ? `voted ${vote.kind}` : 'no answer'),
      ]),
    ),
  };
}
