/**
 * From what is known of a transaction to what the REST API shows, and its ETag. Guards "readers see
 * what is, not what was hoped": times are the coordinator's wall clock, for people; nothing here is
 * ever compared.
 */
import { createHash } from 'node:crypto';
import type { BranchView, TimelineEvent } from '@concordat/engine';
import { publicCause } from '../problems/refusal-problem.js';
import type { KnownTransaction } from './known-transaction.js';
import type { EventResource, TimelineResource, TransactionResource } from './transaction.schema.js';

const instant = (ms: number): string => new Date(ms).toISOString();

export function transactionResource(known: KnownTransaction, nowMs: number): TransactionResource {
  const { cause, resolved } = known;
  return {
    transactionId: known.transaction,
    ...(known.label === undefined ? {} : { label: known.label }),
    ...(known.principal === undefined ? {} : { principal: known.principal }),
    owner: known.owner,
    status: known.status,
    ...(known.decision ? { decision: known.decision } : {}),
    ...(known.outcome ? { outcome: known.outcome } : {}),
    ...(cause ? { cause: publicCause(cause) as TransactionResource['cause'] } : {}),
    ...(known.timeoutMs === undefined ? {} : { timeoutMs: known.timeoutMs }),
    ...(known.timeLeftMs === undefined ? {} : { timeLeftMs: Math.round(known.timeLeftMs) }),
    begunAt: instant(known.begunAtMs),
    ...(known.decidedAtMs === undefined ? {} : { decidedAt: instant(known.decidedAtMs) }),
    ...(known.endedAtMs === undefined ? {} : { endedAt: instant(known.endedAtMs) }),
    ...(resolved
      ? { resolved: { at: instant(resolved.atMs), by: resolved.by, reason: resolved.reason } }
      : {}),
    branches: known.branches.map(branchResource),
    version: known.version,
    serverTime: instant(nowMs),
  };
}

function branchResource(branch: BranchView): TransactionResource['branches'][number] {
  const { nextAttemptAtMs, vote, outcome, ...rest } = branch;
  return {
    branch: rest.branch,
    participant: rest.participant,
    work: rest.work,
    operations: [...rest.operations],
    ...(vote ? { vote: { ...vote } } : {}),
    ...(outcome ? { outcome: { ...outcome } } : {}),
    ...(rest.outputs ? { outputs: [...rest.outputs] } : {}),
    attempts: rest.attempts,
    ...(rest.lastError === undefined ? {} : { lastError: rest.lastError }),
    ...(nextAttemptAtMs === undefined ? {} : { nextAttemptAt: instant(nextAttemptAtMs) }),
  };
}

export function eventResource(event: TimelineEvent): EventResource {
  const { sequence, atMs, type, branch, participant, detail } = event;
  return {
    sequence,
    at: instant(atMs),
    type,
    ...(branch ? { branch } : {}),
    ...(participant ? { participant } : {}),
    ...(detail ? { detail: { ...detail } } : {}),
  };
}

export function timelineResource(known: KnownTransaction, nowMs: number): TimelineResource {
  return {
    transactionId: known.transaction,
    status: known.status,
    events: known.timeline.map(eventResource),
    serverTime: instant(nowMs),
  };
}

/**
 * The entity tag of a transaction: its version, and a digest because two accounts of different
 * sources may count versions differently. Weak: the time left differs between equal answers.
 */
export function etagOf(known: KnownTransaction): string {
  const { version, status, decision, outcome, endedAtMs, resolved, branches } = known;
  const parts = branches.map((one) => [
    one.branch,
    one.vote?.kind,
    one.outcome?.kind,
    one.attempts,
  ]);
  const digest = createHash('sha256')
    .update(JSON.stringify([status, decision, outcome, endedAtMs, resolved?.atMs, parts]))
    .digest('base64url')
    .slice(0, 8);
  return `W/"v${version}-${digest}"`;
}
