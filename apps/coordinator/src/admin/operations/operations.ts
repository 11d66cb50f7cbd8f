/**
 * Bulk operations as a resource: planned, begun by a person who has seen the plan, watched, cancelled.
 * Guards "one runner": a start is a compare-and-set in the database, and one whose coordinator is gone is
 * interrupted until it is started again; nothing goes on by itself. Starting and cancelling say what
 * was seen (If-Match); a plan is new, and has nothing to be compared with.
 */
import type {
  AdminOperationDetailResource,
  AdminOperationResource,
  OperationBody,
} from '@concordat/api';
import {
  OperationStore,
  PostgresDecisionRegister,
  type OperationRecord,
} from '@concordat/decision-log';
import { Injectable } from '@nestjs/common';
import { Problem } from '../../problems/problem.js';
import { Identity } from '../../platform/identity.js';
import { Audited } from '../../access/audited.js';
import type { Operator } from '../../access/acting.js';
import { AdminEvents } from '../events/admin-events.js';
import { assertSaysWhatWasSeen, assertUnchanged } from '../if-match.js';
import { OperationPlans } from './operation-plans.js';
import {
  confirmOf,
  etagOf,
  itemResource,
  operationResource,
  type ShownState,
} from './operation-resource.js';
import { OperationRunner } from './operation-runner.js';

const OPERATION = { name: 'operation' } as const;
/** Ids as they are made; a path that is none is not taken to the database. */
const OPERATION_ID = /^op-[0-9a-z]{1,40}$/;
const LISTED = 100;
const ITEMS_SHOWN = 500;
/** A coordinator without a heartbeat for so long is taken for gone. */
const SILENT_MS = 10_000;

@Injectable()
export class Operations {
  constructor(
    private readonly store: OperationStore,
    private readonly plans: OperationPlans,
    private readonly runner: OperationRunner,
    private readonly register: PostgresDecisionRegister,
    private readonly audited: Audited,
    private readonly events: AdminEvents,
    private readonly identity: Identity,
  ) {}

  async list(): Promise<AdminOperationResource[]> {
    const records = await this.store.latest(LISTED);
    const alive = records.some((one) => one.state === 'running')
      ? await this.alive()
      : NO_COORDINATORS;
    return records.map((one) => operationResource(one, this.stateOf(one, alive)));
  }

  async show(id: string, cursor: string | undefined): Promise<AdminOperationDetailResource> {
    const record = await this.find(id);
    const items = await this.store.items(id, ordinalOf(cursor), ITEMS_SHOWN + 1);
    const shown = items.slice(0, ITEMS_SHOWN);
    const last = shown.at(-1);
    return {
      ...(await this.shown(record)),
      items: shown.map(itemResource),
      ...(items.length > ITEMS_SHOWN && last ? { nextCursor: String(last.ordinal) } : {}),
    };
  }

  /** A dry run: nothing is begun. */
  async plan(body: OperationBody, { by }: Operator): Promise<AdminOperationResource> {
    const operation = await this.plans.plan(body, by);
    this.events.publish({ type: 'operation', operationId: operation });
    return this.shown(await this.find(operation));
  }

  async start(
    id: string,
    confirm: string | undefined,
    ifMatch: string | undefined,
    operator: Operator,
  ): Promise<AdminOperationResource> {
    const { record, state, etag } = await this.asSeen(id, ifMatch);
    if (state === 'running') return operationResource(record, state); // A repeat of the start.
    if (state !== 'planned' && state !== 'interrupted') throw overAlready(record);
    const needed = confirmOf(record, state);
    if (needed !== undefined && needed !== confirm) throw notConfirmed(needed);
    if (state === 'planned') await this.assertNotDrifted(record);
    const { operation, action, total, counts, reason, ticket, by } = record;
    const draft = {
      ...operator,
      action: 'operation-start',
      reason,
      ...(ticket === undefined ? {} : { ticket }),
    };
    const before = { operation, action, total, counts, plannedBy: by, state, etag };
    const [question] = await this.audited.ask([{ ...draft, phase: 'asked', before }]);
    const { incarnation } = this.identity;
    const started = await this.store.start(id, incarnation, record.runner);
    if (!started) {
      const after = { operation, why: 'somebody else was quicker' };
      await this.audited.answer([{ ...draft, phase: 'refused', answers: question?.id, after }]);
      throw begunElsewhere();
    }
    const auditId = question?.id ?? '';
    this.runner.begin(started, { operator, auditId, isResumed: state === 'interrupted' });
    return operationResource(started, 'running');
  }

  async cancel(
    id: string,
    ifMatch: string | undefined,
    operator: Operator,
  ): Promise<AdminOperationResource> {
    const { record, etag } = await this.asSeen(id, ifMatch);
    if (record.state === 'done' || record.state === 'cancelled') throw overAlready(record);
    const { result } = await this.audited.run(
      operator,
      { action: 'operation-cancel', before: { operation: id, counts: record.counts, etag } },
      async () => {
        const cancelled = await this.store.cancel(id);
        if (!cancelled) throw overAlready(record);
        return cancelled;
      },
      ({ counts }) => ({ operation: id, counts }),
    );
    this.events.publish({ type: 'operation', operationId: id });
    return operationResource(result, 'cancelled');
  }

  /** The operation, if it still is as the caller has seen it. */
  private async asSeen(
    id: string,
    ifMatch: string | undefined,
  ): Promise<{ record: OperationRecord; state: ShownState; etag: string }> {
    assertSaysWhatWasSeen(ifMatch, OPERATION);
    const record = await this.find(id);
    const state = this.stateOf(record, await this.alive());
    const etag = etagOf(record, state);
    assertUnchanged(ifMatch, etag, OPERATION, { is: state, members: { state } });
    return { record, state, etag };
  }

  private async assertNotDrifted(record: OperationRecord): Promise<void> {
    const drifted = await this.plans.drifted(record);
    if (drifted === 0) return;
    throw new Problem(
      'set-drifted',
      `${drifted} of ${record.counts.waiting} transactions are no longer as they were planned. Nothing was begun; plan the operation again and look at the new plan.`,
      { members: { drifted, waiting: record.counts.waiting } },
    );
  }

  private async find(id: string): Promise<OperationRecord> {
    const record = OPERATION_ID.test(id) ? await this.store.find(id) : undefined;
    if (record) return record;
    throw new Problem('unknown-operation', 'No operation has this id. See the list of operations.');
  }

  private async shown(record: OperationRecord): Promise<AdminOperationResource> {
    const alive = record.state === 'running' ? await this.alive() : NO_COORDINATORS;
    return operationResource(record, this.stateOf(record, alive));
  }

  /** Running only while the coordinator lives that runs it. */
  private stateOf(
    { operation, state, runner }: OperationRecord,
    alive: ReadonlySet<string>,
  ): ShownState {
    if (state !== 'running' || runner === undefined) return state;
    const isOurs = runner === this.identity.incarnation;
    const goesOn = isOurs ? this.runner.isRunning(operation) : alive.has(runner);
    return goesOn ? 'running' : 'interrupted';
  }

  private async alive(): Promise<ReadonlySet<string>> {
    const known = await this.register.coordinators();
    const living = known.filter((one) => one.seenAgoMs < SILENT_MS);
    return new Set(living.map((one) => one.incarnation));
  }
}

const NO_COORDINATORS: ReadonlySet<string> = new Set();

function ordinalOf(cursor: string | undefined): number {
  return cursor !== undefined && /^\d{1,9}$/.test(cursor) ? Number(cursor) : 0;
}

function overAlready({ state, operation }: OperationRecord): Problem {
  return new Problem(
    'not-offered',
    `Operation ${operation} is ${state}: it can neither be started nor cancelled any more. Plan another one.`,
    { retryable: false },
  );
}

function begunElsewhere(): Problem {
  return new Problem(
    'not-offered',
    'Somebody has started or cancelled it at this very moment. Nothing was begun by this request; look at it again.',
    { retryable: false },
  );
}

function notConfirmed(needed: string): Problem {
  return new Problem(
    'not-confirmed',
    `It is about ${needed} transactions: type exactly that number. Nothing was begun.`,
    {
      members: { confirm: needed },
      errors: [{ field: 'confirm', message: `must be ${needed}` }],
    },
  );
}
