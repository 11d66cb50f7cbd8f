/**
 * Runs bulk operations, a few items at a time. Guards "an operation survives its coordinator": each item
 * is audited before and after, its result is a row, and what this process holds is only that it runs it.
 * Crash window: killed in the middle, the operation shows as interrupted, and a start goes on with what
 * waits. Some of those may have been acted on without a written result: their state differs from the plan,
 * and they are done all the same if the requested decision is in effect.
 */
import type { Situation } from '@concordat/diagnosis';
import {
  OperationStore,
  TransactionReader,
  type AuditDraft,
  type ItemOutcome,
  type ItemRecord,
  type OperationRecord,
} from '@concordat/decision-log';
import { Injectable, Logger } from '@nestjs/common';
import { Identity } from '../../platform/identity.js';
import { Audited } from '../../access/audited.js';
import type { Operator } from '../../access/acting.js';
import { AdminEvents } from '../events/admin-events.js';
import { OperatorActions } from '../transactions/operator-actions.js';
import { etagOf } from '../transactions/situation-tag.js';
import { Situations } from '../transactions/situations.js';
import { quoted } from '@concordat/words';
import { OperationPlans } from './operation-plans.js';

const CHUNK = 40;
/** How long one item may wait for its branches. */
const ITEM_MS = 2_000;
const AGAIN_MS = 1_000;

/** Who has started it, and how. */
export interface OperationStart {
  readonly operator: Operator;
  /** What its end answers. */
  readonly auditId: string;
  /** A start of it was interrupted before. */
  readonly isResumed: boolean;
}

@Injectable()
export class OperationRunner {
  private readonly logger = new Logger('Operations');
  private readonly running = new Map<string, Promise<void>>();
  private isStopped = false;

  constructor(
    private readonly store: OperationStore,
    private readonly reader: TransactionReader,
    private readonly plans: OperationPlans,
    private readonly situations: Situations,
    private readonly operatorActions: OperatorActions,
    private readonly audited: Audited,
    private readonly events: AdminEvents,
    private readonly identity: Identity,
  ) {}

  isRunning(operation: string): boolean {
    return this.running.has(operation);
  }

  /** Begins to run an operation that this coordinator has claimed. */
  begin(record: OperationRecord, start: OperationStart): void {
    const { operation } = record;
    if (this.running.has(operation)) return; // Started twice in one moment: it runs once.
    const run = this.run(record, start).finally(() => {
      this.running.delete(operation);
      this.events.publish({ type: 'operation', operationId: operation });
    });
    this.running.set(operation, run);
  }

  /** Lets the items under way come to their end; the rest waits for another start. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.running.values());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  private async run(record: OperationRecord, start: OperationStart): Promise<void> {
    for (;;) {
      try {
        const goesOn = await this.chunk(record, start);
        if (goesOn && !this.isStopped) continue;
        if (!this.isStopped) await this.end(record, start);
        return;
      } catch (error) {
        // Most likely the register is away: what was done is found out again when it is back.
        this.logger.warn(`operation ${record.operation} waits: ${String(error)}`);
        if (this.isStopped) return;
        await this.pause();
      }
    }
  }

  /** A few items. False when none waits any more, or it was cancelled. */
  private async chunk(record: OperationRecord, start: OperationStart): Promise<boolean> {
    const { operation } = record;
    const { operator } = start;
    const now = await this.store.find(operation);
    if (now?.state !== 'running' || now.runner !== this.identity.incarnation) return false;
    const items = await this.store.items(operation, 0, CHUNK, true);
    if (items.length === 0) return false;
    const summaries = await this.reader.some(items.map((one) => one.transaction));
    const situations = new Map(
      (await this.situations.ofSummaries(summaries)).map((one) => [one.known.transaction, one]),
    );
    const drafts = items.map((item) => draftOf(record, operator, item));
    const questions = await this.audited.ask(drafts);
    const outcomes = await Promise.all(
      items.map((item) => this.item(record, start, item, situations.get(item.transaction))),
    );
    await this.store.writeResults(operation, outcomes);
    await this.audited.answer(
      outcomes.map(({ result, detail = '' }, at) => ({
        ...(drafts[at] as AuditDraft),
        phase: result === 'done' ? 'done' : result === 'skipped' ? 'refused' : 'failed',
        answers: questions[at]?.id,
        after: { operation, result, detail },
      })),
    );
    this.events.publish({ type: 'operation', operationId: operation });
    return true;
  }

  private async item(
    { action, reason }: OperationRecord,
    { operator, isResumed }: OperationStart,
    { ordinal, seen }: ItemRecord,
    situation: Situation | undefined,
  ): Promise<ItemOutcome> {
    const skipped = (detail: string): ItemOutcome => ({ ordinal, result: 'skipped', detail });
    if (!situation) return skipped('Nothing is known of it any more.');
    if (etagOf(situation) !== seen) {
      const stands = isResumed ? whatStands(situation, action) : undefined;
      if (stands !== undefined) return { ordinal, result: 'done', detail: stands };
      return skipped(`It has changed since it was planned: it is ${situation.known.status} now.`);
    }
    const because = this.plans.whyNot(situation, action);
    if (because !== undefined) return skipped(because);
    try {
      if (action === 'retry') return await this.retry(ordinal, situation);
      await this.operatorActions.abort(situation, reason, operator, ITEM_MS);
      return { ordinal, result: 'done', detail: 'An abort is on record.' };
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      return { ordinal, result: 'failed', detail };
    }
  }

  private async retry(ordinal: number, situation: Situation): Promise<ItemOutcome> {
    const branches = await this.operatorActions.retry(situation, undefined, ITEM_MS);
    const left = branches.filter((one) => one.result !== 'done' && one.result !== 'nothing-to-do');
    if (left.length === 0) return { ordinal, result: 'done', detail: 'Every branch acknowledged.' };
    const told = left.map(({ participant, result, detail }) =>
      [`${quoted(participant)} ${result}`, ...(detail ? [detail] : [])].join(': '),
    );
    return { ordinal, result: 'failed', detail: told.join('; ').slice(0, 500) };
  }

  private async end(
    { operation }: OperationRecord,
    { operator, auditId }: OperationStart,
  ): Promise<void> {
    await this.store.end(operation, this.identity.incarnation);
    const ended = await this.store.find(operation);
    const { by, role, from } = operator;
    await this.audited.answer([
      {
        by,
        role,
        ...(from === undefined ? {} : { from }),
        action: 'operation-start',
        phase: 'done',
        answers: auditId,
        after: { operation, state: ended?.state, counts: ended?.counts },
      },
    ]);
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => this.identity.clock.after(AGAIN_MS, resolve));
  }
}

/** That what was asked for has come about, in a sentence; undefined where it has not. */
function whatStands(situation: Situation, action: OperationRecord['action']): string | undefined {
  const { decision, status } = situation.known;
  const before = 'before the interruption, or by somebody else';
  if (action === 'abort-undecided') {
    return decision === 'abort' ? `An abort is on record already: recorded ${before}.` : undefined;
  }
  const isOver = status === 'committed' || status === 'aborted';
  return isOver ? `Every branch has acknowledged already: delivered ${before}.` : undefined;
}

function draftOf(
  { operation, action, reason, ticket }: OperationRecord,
  { by, role, from }: Operator,
  { transaction, seen }: ItemRecord,
): AuditDraft {
  return {
    by,
    role,
    ...(from === undefined ? {} : { from }),
    action: action === 'retry' ? 'retry' : 'abort',
    transaction,
    reason,
    ...(ticket === undefined ? {} : { ticket }),
    phase: 'asked',
    before: { operation, etag: seen },
  };
}
