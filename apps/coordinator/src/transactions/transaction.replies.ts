/**
 * The HTTP answers to begin, commit and rollback. Guards "two moments, named": 200 only for what was
 * waited for and holds, 202 for what is still under way, 409 for a commit that ended in abort.
 */
import { attemptsOf, hasEnded, type KnownTransaction } from '@concordat/diagnosis';
import type { Scope } from '../platform/api-key.js';
import { abortedProblem, heuristicProblem } from '../problems/refusal-problem.js';
import { Problem } from '../problems/problem.js';
import type { Reply } from '../requests/reply.js';
import type { Wait } from '../requests/wait.js';
import { etagOf, transactionResource } from './transaction.resource.js';
import type { WaitsOf } from '../waits/wait-resource.js';

const LOOK_AGAIN_S = '1';

export function shown(
  known: KnownTransaction,
  nowMs: number,
  {
    status = 200,
    scope = 'client',
    waitsOf,
  }: { readonly status?: number; readonly scope?: Scope; readonly waitsOf?: WaitsOf } = {},
): Reply {
  return {
    status,
    body: transactionResource(known, nowMs, scope, waitsOf),
    headers: { ETag: etagOf(known), 'Cache-Control': 'no-store' },
  };
}

/** A transaction that stays open. */
export function begunReply(known: KnownTransaction, nowMs: number): Reply {
  return located(shown(known, nowMs, { status: 201 }), known);
}

/** A request for commit gets: committed (200), under way (202), or the problem (409). */
export function commitReply(known: KnownTransaction, wait: Wait, nowMs: number): Reply {
  if (known.status.startsWith('heuristic')) throw heuristicProblem(known);
  if (known.decision === 'abort') throw abortedProblem({ ...known, attempts: attemptsOf(known) });
  const isThere = known.decision === 'commit' && (wait.until === 'decided' || hasEnded(known));
  return settledReply(known, wait, nowMs, isThere);
}

/** A request for rollback gets: aborted (200), under way (202), or the commit on record (409). */
export function rollbackReply(known: KnownTransaction, wait: Wait, nowMs: number): Reply {
  if (known.decision === 'commit') throw alreadyCommitted(known);
  if (known.status.startsWith('heuristic')) throw heuristicProblem(known);
  const isThere = known.decision === 'abort' && (wait.until === 'decided' || hasEnded(known));
  return settledReply(known, wait, nowMs, isThere);
}

export function replayed(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, 'Idempotent-Replayed': 'true' } };
}

export function alreadyCommitted(known: KnownTransaction): Problem {
  return new Problem(
    'already-committed',
    'The decision to commit is on record and cannot be changed; every branch will be committed. To undo its effects, begin another transaction that compensates.',
    { transactionId: known.transaction, members: { decision: 'commit' } },
  );
}

/** It is live, but at a coordinator that is not this one. */
export function ownedElsewhere(known: KnownTransaction, what: string): Problem {
  return new Problem(
    'owned-elsewhere',
    `The transaction is live at coordinator ${known.owner}, which alone can ${what}. Send the request ` +
      'to the coordinator that began it; if that one stops, its undecided transactions abort by themselves.',
    {
      transactionId: known.transaction,
      retryable: true,
      members: { owner: known.owner, transactionStatus: known.status },
    },
  );
}

function settledReply(known: KnownTransaction, wait: Wait, nowMs: number, isThere: boolean): Reply {
  const reply = located(shown(known, nowMs, { status: isThere ? 200 : 202 }), known);
  return {
    ...reply,
    headers: {
      ...reply.headers,
      ...(isThere ? {} : { 'Retry-After': LOOK_AGAIN_S }),
      ...(wait.applied ? { 'Preference-Applied': wait.applied } : {}),
    },
  };
}

function located(reply: Reply, known: KnownTransaction): Reply {
  const headers = { ...reply.headers, Location: `/v1/transactions/${known.transaction}` };
  return { ...reply, headers };
}
