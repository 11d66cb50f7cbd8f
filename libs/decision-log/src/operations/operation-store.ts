/**
 * Bulk operations as rows: the frozen selection, who runs it, and what came of each item. Guards "an
 * operation survives its coordinator": everything that is known of it is here, so another start goes on
 * with what still waits. Crash window: after an item is acted on, before its result is written: it
 * waits still, and the process that goes on first looks whether the requested decision is on record.
 */
import type { Incarnation, TransactionId } from '@concordat/protocol';
import type pg from 'pg';
import { ask } from '../register/question.js';
import {
  ADD_OPERATION,
  CANCEL_OPERATION,
  END_OPERATION,
  LATEST_OPERATIONS,
  OPERATION_ITEMS,
  READ_OPERATION,
  START_OPERATION,
  WAITING_ITEMS,
  WRITE_RESULTS,
} from './operations.sql.js';

export type OperationAction = 'retry' | 'abort-undecided';
export type ItemResult = 'waiting' | 'done' | 'skipped' | 'failed';

export interface PlannedItem {
  readonly transaction: TransactionId;
  /** The entity tag that it had when it was planned. */
  readonly seen: string;
  readonly result: 'waiting' | 'skipped';
  /** The expected result, in a sentence. */
  readonly detail?: string;
}

export interface OperationPlan {
  readonly operation: string;
  readonly action: OperationAction;
  readonly by: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly items: readonly PlannedItem[];
}

export interface OperationRecord {
  readonly operation: string;
  readonly action: OperationAction;
  readonly state: 'planned' | 'running' | 'done' | 'cancelled';
  readonly by: string;
  readonly reason: string;
  readonly ticket?: string;
  /** The coordinator that runs it, or ran it last. */
  readonly runner?: Incarnation;
  readonly createdAtMs: number;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  readonly total: number;
  readonly counts: Readonly<Record<ItemResult, number>>;
}

export interface ItemRecord {
  readonly ordinal: number;
  readonly transaction: TransactionId;
  readonly seen: string;
  readonly result: ItemResult;
  readonly detail?: string;
  readonly atMs?: number;
}

export interface ItemOutcome {
  readonly ordinal: number;
  readonly result: Exclude<ItemResult, 'waiting'>;
  readonly detail?: string;
}

export class OperationStore {
  constructor(private readonly pool: pg.Pool) {}

  async add({ operation, action, by, reason, ticket, items }: OperationPlan): Promise<void> {
    await ask(this.pool, 'operation-add', ADD_OPERATION, [
      operation,
      action,
      by,
      reason,
      ticket ?? null,
      items.length,
      items.filter((one) => one.result === 'skipped').length,
      items.map((_, at) => at + 1),
      items.map((one) => one.transaction),
      items.map((one) => one.seen),
      items.map((one) => one.result),
      items.map((one) => one.detail ?? null),
    ]);
  }

  async find(operation: string): Promise<OperationRecord | undefined> {
    return this.one('operation-read', READ_OPERATION, [operation]);
  }

  async latest(limit: number): Promise<OperationRecord[]> {
    const rows = await ask<OperationRow>(this.pool, 'operations', LATEST_OPERATIONS, [limit]);
    return rows.map(recordOf);
  }

  /** Items after an ordinal, in their order; only those that wait when `waiting`. */
  async items(
    operation: string,
    after: number,
    limit: number,
    waiting = false,
  ): Promise<ItemRecord[]> {
    const [what, text] = waiting ? ['waiting', WAITING_ITEMS] : ['items', OPERATION_ITEMS];
    const rows = await ask<ItemRow>(this.pool, `operation-${what}`, text, [
      operation,
      after,
      limit,
    ]);
    return rows.map(itemOf);
  }

  /**
   * Makes this coordinator its runner; undefined when somebody else was quicker. A running one is taken
   * from `from` only, which the caller knows to be gone.
   */
  async start(
    operation: string,
    runner: Incarnation,
    from?: Incarnation,
  ): Promise<OperationRecord | undefined> {
    return this.one('operation-start', START_OPERATION, [operation, runner, from ?? null]);
  }

  /** Undefined when it has ended already. */
  async cancel(operation: string): Promise<OperationRecord | undefined> {
    return this.one('operation-cancel', CANCEL_OPERATION, [operation]);
  }

  async writeResults(
    operation: string,
    outcomes: readonly ItemOutcome[],
  ): Promise<OperationRecord | undefined> {
    return this.one('operation-results', WRITE_RESULTS, [
      operation,
      outcomes.map((one) => one.ordinal),
      outcomes.map((one) => one.result),
      outcomes.map((one) => one.detail ?? null),
    ]);
  }

  async end(operation: string, runner: Incarnation): Promise<OperationRecord | undefined> {
    return this.one('operation-end', END_OPERATION, [operation, runner]);
  }

  private async one(
    what: string,
    text: string,
    values: readonly unknown[],
  ): Promise<OperationRecord | undefined> {
    const [row] = await ask<OperationRow>(this.pool, what, text, values);
    return row && recordOf(row);
  }
}

interface OperationRow {
  readonly operation: string;
  readonly action: OperationAction;
  readonly state: OperationRecord['state'];
  readonly principal: string;
  readonly reason: string;
  readonly ticket: string | null;
  readonly runner: Incarnation | null;
  readonly created_at_ms: number;
  readonly started_at_ms: number | null;
  readonly ended_at_ms: number | null;
  readonly total: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
}

interface ItemRow {
  readonly ordinal: number;
  readonly transaction: TransactionId;
  readonly seen: string;
  readonly result: ItemResult;
  readonly detail: string | null;
  readonly at_ms: number | null;
}

function recordOf(row: OperationRow): OperationRecord {
  const { total, done, skipped, failed } = row;
  return {
    operation: row.operation,
    action: row.action,
    state: row.state,
    by: row.principal,
    reason: row.reason,
    ...(row.ticket === null ? {} : { ticket: row.ticket }),
    ...(row.runner === null ? {} : { runner: row.runner }),
    createdAtMs: Math.round(row.created_at_ms),
    ...(row.started_at_ms === null ? {} : { startedAtMs: Math.round(row.started_at_ms) }),
    ...(row.ended_at_ms === null ? {} : { endedAtMs: Math.round(row.ended_at_ms) }),
    total,
    counts: { waiting: total - done - skipped - failed, done, skipped, failed },
  };
}

function itemOf(row: ItemRow): ItemRecord {
  return {
    ordinal: row.ordinal,
    transaction: row.transaction,
    seen: row.seen,
    result: row.result,
    ...(row.detail === null ? {} : { detail: row.detail }),
    ...(row.at_ms === null ? {} : { atMs: Math.round(row.at_ms) }),
  };
}
