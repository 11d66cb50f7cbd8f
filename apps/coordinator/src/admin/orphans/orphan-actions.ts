/**
 * Acts on an orphan that the last comparison has found. Guards the order of an action on a transaction:
 * what was seen is still so (If-Match), the caller may, it is offered, what it needs was given; audited
 * before, and answered with what it did. What was found may be over meanwhile: the action itself asks the
 * register again.
 */
import { orphanActions } from '@concordat/diagnosis';
import type { OrphanActionBody, OrphanActionResultResource } from '@concordat/api';
import { OrphanSettler, Reconciler, type FoundOrphan, type OrphanFinish } from '@concordat/engine';
import { Inject, Injectable } from '@nestjs/common';
import { includes } from '../../platform/api-key.js';
import { forbidden } from '../../access/api-key.guard.js';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { Problem } from '../../problems/problem.js';
import { Audited } from '../../access/audited.js';
import type { Operator } from '../../access/acting.js';
import { assertSaysWhatWasSeen, assertUnchanged } from '../if-match.js';
import { ParticipantsWatch } from '../../known/participants-watch.js';
import { OperatorActions } from '../transactions/operator-actions.js';
import { assertForceEnabled, assertGiven } from '../transactions/guards.js';
import { quoted } from '@concordat/words';
import { OrphanList } from './orphan-list.js';
import { etagOf } from './orphan-tag.js';

const ORPHAN = { name: 'orphan' } as const;

type Outcome = Pick<OrphanActionResultResource, 'result' | 'summary'>;

@Injectable()
export class OrphanActions {
  constructor(
    private readonly orphans: OrphanList,
    private readonly settler: OrphanSettler,
    private readonly reconciler: Reconciler,
    private readonly operatorActions: OperatorActions,
    private readonly audited: Audited,
    private readonly watch: ParticipantsWatch,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  async act(
    body: OrphanActionBody,
    ifMatch: string | undefined,
    operator: Operator,
  ): Promise<OrphanActionResultResource> {
    const { gid, participant, action, reason, ticket } = body;
    assertSaysWhatWasSeen(ifMatch, ORPHAN);
    this.assertRole(action, operator);
    const orphan = this.orphans.find(gid, participant);
    if (!orphan) throw unknownOrphan();
    const etag = etagOf(orphan);
    assertUnchanged(ifMatch, etag, ORPHAN, { is: asFound(orphan), members: { kind: orphan.kind } });
    const entry = orphanActions(orphan, this.config).find((one) => one.action === action);
    if (!entry?.offered) throw notOffered(entry?.because ?? 'It is not offered now.');
    assertGiven(entry.needs, body);
    const { auditId, result } = await this.audited.run(
      operator,
      {
        action: `orphan-${action}`,
        transaction: orphan.transaction,
        branch: orphan.branch,
        gid,
        ...(reason === undefined ? {} : { reason }),
        ...(ticket === undefined ? {} : { ticket }),
        before: {
          participant,
          etag,
          kind: orphan.kind,
          evidence: orphan.evidence,
          consequence: entry.consequence,
        },
      },
      () => this.carryOut(orphan, action),
      (outcome) => ({ ...outcome }),
    );
    this.watch.changed();
    void this.reconciler.pass();
    return { gid, ...result, auditId };
  }

  private assertRole(action: OrphanActionBody['action'], { by, role }: Operator): void {
    if (!action.startsWith('force')) return;
    if (!includes(role, 'force')) throw forbidden({ id: by, scope: role }, 'force');
    assertForceEnabled(this.config);
  }

  private async carryOut(
    orphan: FoundOrphan,
    action: OrphanActionBody['action'],
  ): Promise<Outcome> {
    switch (action) {
      case 'finish':
        return told(orphan, await this.settler.finish(orphan));
      case 'record-heuristic':
        return this.record(orphan);
      case 'force-commit':
      case 'force-abort': {
        const decision = action === 'force-commit' ? 'commit' : 'abort';
        const { result, detail = '' } = await this.operatorActions.force(orphan, orphan, decision);
        const who = quoted(orphan.participant);
        if (result === 'done') return { result, summary: `${who}: ${detail}.` };
        return {
          result: result === 'sent' ? 'unreachable' : result,
          summary: `${who}: ${detail}.`,
        };
      }
    }
  }

  private async record(orphan: FoundOrphan): Promise<Outcome> {
    const recorded = await this.reconciler.recordCommitted(orphan);
    switch (recorded.kind) {
      case 'recorded':
        return {
          result: 'done',
          summary: `An abort is on record, and that ${quoted(orphan.participant)} has committed is recorded as heuristic.`,
        };
      case 'nothing-to-record':
        return { result: 'nothing-to-do', summary: sentence(recorded.why) };
      case 'not-now':
        return { result: 'refused', summary: `Not now: ${sentence(recorded.why)}` };
    }
  }
}

function told({ participant }: FoundOrphan, finish: OrphanFinish): Outcome {
  const who = quoted(participant);
  switch (finish.kind) {
    case 'finished': {
      if (finish.outcome.kind !== 'heuristic') {
        return { result: 'done', summary: `${who} has ${finish.outcome.kind} it, as decided.` };
      }
      const recorded = finish.recorded ? 'recorded as heuristic' : 'not recorded yet: ask again';
      const { explanation } = finish.outcome.evidence;
      return { result: 'refused', summary: `${sentence(explanation)} It is ${recorded}.` };
    }
    case 'undecided':
      return {
        result: 'nothing-to-do',
        summary:
          'It is live at its coordinator, or the register does not answer: it is no orphan now.',
      };
    case 'forgotten':
      return {
        result: 'refused',
        summary: 'It is past retention: the register does not know the decision.',
      };
    case 'unreachable':
      return {
        result: 'unreachable',
        summary: `${finish.decision.toUpperCase()} is on record, and ${who} is not reached: ${sentence(finish.why)}`,
      };
    case 'not-yet':
      return { result: 'refused', summary: `${who} cannot now: ${sentence(finish.reason)}` };
    case 'refused':
      return { result: 'refused', summary: `${who} refuses: ${sentence(finish.reason)}` };
  }
}

/** How it was found last, in a few words. */
function asFound({ kind, verdict }: FoundOrphan): string {
  const [state, knowledge] = kind.split('-');
  return `${state}, ${knowledge}${verdict ? ` (${verdict})` : ''}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function notOffered(because: string): Problem {
  return new Problem('not-offered', `${because} Nothing was done.`, { retryable: false });
}

function unknownOrphan(): Problem {
  return new Problem(
    'unknown-orphan',
    'The last comparison found no orphan of this gid at this participant. Nothing was done; look at the list again.',
  );
}
