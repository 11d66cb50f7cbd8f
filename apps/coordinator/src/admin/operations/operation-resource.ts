/** From an operation's rows to what the admin API shows of it. */
import type { AdminOperationResource, OperationItemResource } from '@concordat/api';
import type { ItemRecord, OperationRecord } from '@concordat/decision-log';
import { tagOf } from '../if-match.js';

/** More than so many are begun only by somebody who types how many. */
const UNTYPED_MAX = 10;

const instant = (ms: number): string => new Date(ms).toISOString();

export type ShownState = AdminOperationResource['state'];

/** What `start` needs in `confirm`, where it needs something. */
export function confirmOf(record: OperationRecord, state: ShownState): string | undefined {
  if (state !== 'planned' && state !== 'interrupted') return undefined;
  const { waiting } = record.counts;
  return waiting > UNTYPED_MAX ? String(waiting) : undefined;
}

/**
 * What `If-Match` must carry: it changes with the state, with who runs it, and, while it does not run,
 * with what a start would be about; not with the progress of one that runs, which cancelling is about.
 */
export function etagOf(record: OperationRecord, state: ShownState): string {
  const { operation, runner, startedAtMs, counts } = record;
  const isAtWork = state === 'running';
  return tagOf([operation, state, runner, startedAtMs, isAtWork ? undefined : counts.waiting]);
}

export function operationResource(
  record: OperationRecord,
  state: ShownState,
): AdminOperationResource {
  const { ticket, startedAtMs, endedAtMs } = record;
  const confirm = confirmOf(record, state);
  return {
    operationId: record.operation,
    action: record.action,
    state,
    by: record.by,
    reason: record.reason,
    ...(ticket === undefined ? {} : { ticket }),
    createdAt: instant(record.createdAtMs),
    ...(startedAtMs === undefined ? {} : { startedAt: instant(startedAtMs) }),
    ...(endedAtMs === undefined ? {} : { endedAt: instant(endedAtMs) }),
    total: record.total,
    counts: { ...record.counts },
    ...(confirm === undefined ? {} : { confirm }),
    etag: etagOf(record, state),
  };
}

export function itemResource(item: ItemRecord): OperationItemResource {
  const { transaction, result, detail, atMs } = item;
  return {
    transactionId: transaction,
    result,
    ...(detail === undefined ? {} : { detail }),
    ...(atMs === undefined ? {} : { at: instant(atMs) }),
  };
}
