/**
 * From the engine's refusals and a transaction's fate to problems. Guards "a commit that ends in
 * abort is 409, with the cause" and "a heuristic outcome is never reported as plain": this file is
 * the only one that decides which HTTP answer a transaction's end deserves.
 */
import { afterAbort, causeSentence, isRetryable } from '@concordat/diagnosis';
import type { Refusal, RefusalCode, TransactionView } from '@concordat/engine';
import { decidedAt, type AbortCause } from '@concordat/protocol';
import { Problem, type ProblemCode } from './problem.js';

const CODES: Readonly<Record<RefusalCode, ProblemCode>> = {
  'unknown-transaction': 'unknown-or-forgotten',
  'not-active': 'not-active',
  'transaction-aborted': 'transaction-aborted',
  'already-committed': 'already-committed',
  'branch-elsewhere': 'branch-elsewhere',
  'too-many-transactions': 'too-many-transactions',
  'too-many-of-principal': 'too-many-transactions-of-key',
  'too-many-bytes': 'too-many-bytes',
  'too-many-bytes-of-principal': 'too-many-bytes-of-key',
  'too-fast': 'too-many-begins-of-key',
  'too-many-branches': 'too-many-branches',
  'message-too-large': 'message-too-large',
  'duplicate-participant': 'duplicate-participant',
  'timeout-out-of-range': 'timeout-out-of-range',
  'shutting-down': 'shutting-down',
  'idempotency-key-reused': 'idempotency-key-reused',
  'over-quota': 'too-many-requests',
  'made-in-the-future': 'unknown-or-forgotten',
  'cannot-tell-now': 'not-known-now',
};

/** Which field of the request a refusal is about, where it is about one. */
const FIELDS: Partial<Record<RefusalCode, string>> = {
  'too-many-branches': 'branches',
  'duplicate-participant': 'branches',
  'message-too-large': 'branches',
  'timeout-out-of-range': 'timeoutMs',
  'idempotency-key-reused': 'header Idempotency-Key',
};

export function refusalProblem(refusal: Refusal): Problem {
  const { view } = refusal;
  if (refusal.code === 'transaction-aborted' && view) return abortedProblem(view);
  const field = FIELDS[refusal.code];
  return new Problem(CODES[refusal.code], refusal.message, {
    ...(field ? { errors: [{ field, message: refusal.message }] } : {}),
    ...(refusal.retryAfterMs === undefined ? {} : { retryAfterMs: refusal.retryAfterMs }),
    ...(view ? { transactionId: view.transaction } : {}),
    ...(refusal.details ? { members: { details: refusal.details } } : {}),
  });
}

/** The part of a transaction that its end is derived from. */
export type Fate = Pick<
  TransactionView,
  'transaction' | 'label' | 'decision' | 'outcome' | 'cause' | 'branches'
> & { readonly status: string; readonly attempts?: number };

/** An abort as the client sees it: which branch, which code, whether another try can help. */
export type PublicCause = Readonly<Record<string, unknown>> & { readonly kind: string };

export function publicCause(cause: AbortCause): PublicCause {
  if (cause.kind !== 'vote') return cause;
  const { kind, branch, participant, vote } = cause;
  const { code, reason, retryable, details } = vote;
  return { kind, branch, participant, code, reason, retryable, ...(details ? { details } : {}) };
}

/** The problem that answers a commit which ended in abort. */
export function abortedProblem(view: Fate): Problem {
  const cause: AbortCause = view.cause ?? { kind: 'undetermined' };
  return new Problem(
    'transaction-aborted',
    `${causeSentence(cause)} Nothing of it is kept. ${afterAbort(cause)}`,
    {
      transactionId: view.transaction,
      retryable: isRetryable(cause),
      members: {
        decision: 'abort',
        ...(view.label === undefined ? {} : { label: view.label }),
        cause: publicCause(cause),
        ...(view.attempts === undefined ? {} : { attempts: view.attempts }),
      },
    },
  );
}

/** The problem that answers for a transaction which ended neither committed nor aborted everywhere. */
export function heuristicProblem(view: Fate): Problem {
  const disagreeing = view.branches.filter((branch) => branch.outcome?.kind === 'heuristic');
  const named = disagreeing.map((branch) => branch.participant).join(', ') || 'a branch';
  const place = view.decision === undefined ? decidedAt(view.transaction) : undefined;
  const what = place
    ? `Whether it has committed is not known, and will not be: ${place}, which decided it alone, keeps no record of it any more.`
    : `The decision was ${view.decision ?? 'unknown'}, but ${named} did not carry it out.`;
  return new Problem(
    'heuristic-outcome',
    `${what} Do not repeat the request: an operator must reconcile the branches and resolve the transaction.`,
    {
      transactionId: view.transaction,
      retryable: false,
      members: {
        decision: view.decision,
        outcome: view.outcome ?? view.status,
        branches: disagreeing.map(({ branch, participant, outcome }) => ({
          branch,
          participant,
          ...(outcome?.kind === 'heuristic' ? { evidence: outcome.evidence } : {}),
        })),
      },
    },
  );
}
