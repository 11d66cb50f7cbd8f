/**
 * From what is known of a transaction to what the REST API shows, and its ETag. Guards "readers see what is,
 * not what was hoped": the times of begin, decision and end are the same from every coordinator, live and
 * from the register (ADR 35); the other times are the coordinator's own, for people; nothing here is ever
 * compared. What a participant or the transport said of a failure, perhaps SQL or an address, is for
 * operators; clients get a general description of what happens next.
 */
import { hash } from 'node:crypto';
import { attemptsOf, type KnownTransaction } from '@concordat/diagnosis';
import type {
  BranchWaitsResource,
  EventResource,
  TimelineResource,
  TransactionResource,
} from '@concordat/api';
import type { BranchView, TimelineEvent } from '@concordat/engine';
import { includes, type Scope } from '../platform/api-key.js';
import { publicCause } from '../problems/refusal-problem.js';
import type { WaitsOf } from '../waits/wait-resource.js';

const instant = (ms: number): string => new Date(ms).toISOString();

/** Events whose detail says, as `why` or `reason`, what went wrong at the other end. */
const TELLS_TROUBLE: ReadonlySet<string> = new Set([
  'no-answer',
  'unanswered',
  'refused',
  'peer-violation',
]);
const TROUBLE =
  'The participant has not been reached or could not do it, so what became of it there is not confirmed; until it is, it is asked again automatically. An operator sees the details.';

export function transactionResource(
  known: KnownTransaction,
  nowMs: number,
  scope: Scope,
  waitsOf: WaitsOf = () => undefined,
): TransactionResource {
  const { cause, resolved } = known;
  const attempts = attemptsOf(known);
  return {
    transactionId: known.transaction,
    ...(known.label === undefined ? {} : { label: known.label }),
    ...(known.principal === undefined ? {} : { principal: known.principal }),
    owner: known.owner,
    status: known.status,
    ...(known.decision ? { decision: known.decision } : {}),
    ...(known.outcome ? { outcome: known.outcome } : {}),
    ...(cause ? { cause: publicCause(cause) as TransactionResource['cause'] } : {}),
    ...(attempts === undefined ? {} : { attempts }),
    ...(known.timeoutMs === undefined ? {} : { timeoutMs: known.timeoutMs }),
    ...(known.timeLeftMs === undefined ? {} : { timeLeftMs: Math.round(known.timeLeftMs) }),
    begunAt: instant(known.begunAtMs),
    ...(known.decidedAtMs === undefined ? {} : { decidedAt: instant(known.decidedAtMs) }),
    ...(known.endedAtMs === undefined ? {} : { endedAt: instant(known.endedAtMs) }),
    ...(resolved
      ? { resolved: { at: instant(resolved.atMs), by: resolved.by, reason: resolved.reason } }
      : {}),
    branches: known.branches.map((branch) => branchResource(branch, scope, waitsOf(branch))),
    version: known.version,
    serverTime: instant(nowMs),
  };
}

function branchResource(
  branch: BranchView,
  scope: Scope,
  waits: BranchWaitsResource | undefined,
): TransactionResource['branches'][number] {
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
    ...(rest.lastError === undefined
      ? {}
      : { lastError: includes(scope, 'viewer') ? rest.lastError : TROUBLE }),
    ...(nextAttemptAtMs === undefined ? {} : { nextAttemptAt: instant(nextAttemptAtMs) }),
    ...(waits ? { waitsFor: waits } : {}),
  };
}

export function eventResource(event: TimelineEvent, scope: Scope): EventResource {
  const { sequence, atMs, type, branch, participant, detail } = event;
  return {
    sequence,
    at: instant(atMs),
    type,
    ...(branch ? { branch } : {}),
    ...(participant ? { participant } : {}),
    ...(detail
      ? { detail: includes(scope, 'viewer') ? { ...detail } : forClients(type, detail) }
      : {}),
  };
}

function forClients(
  type: string,
  detail: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (!TELLS_TROUBLE.has(type)) return { ...detail };
  const rest = Object.entries(detail).filter(([name]) => name !== 'why' && name !== 'reason');
  return { ...Object.fromEntries(rest), why: TROUBLE };
}

export function timelineResource(
  known: KnownTransaction,
  nowMs: number,
  scope: Scope,
): TimelineResource {
  return {
    transactionId: known.transaction,
    status: known.status,
    events: known.timeline.map((event) => eventResource(event, scope)),
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
  const said = JSON.stringify([status, decision, outcome, endedAtMs, resolved?.atMs, parts]);
  const digest = hash('sha256', said, 'base64url').slice(0, 8);
  return `W/"v${version}-${digest}"`;
}
