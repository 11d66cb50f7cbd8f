/** Why a transaction aborted, and what its client does next. */
import type { AbortCause } from '@concordat/protocol';

/** Why a transaction aborted, in one sentence. */
export function causeSentence(cause: AbortCause): string {
  switch (cause.kind) {
    case 'vote':
      return `${cause.participant} voted no: ${cause.vote.code}, ${cause.vote.reason}.`.replace(
        '..',
        '.',
      );
    case 'unreachable':
      return `No instance of ${cause.participant} is connected.`;
    case 'deadline':
      return cause.missing.length > 0
        ? `The time-out passed without a vote from ${cause.missing.join(', ')}.`
        : 'The time-out passed before the commit was asked for.';
    case 'rollback-requested':
      return `It was rolled back on request: ${cause.reason}.`.replace('..', '.');
    case 'doubtful-work':
      return `Whether ${cause.participant} did its work is unknown: ${cause.reason}.`.replace(
        '..',
        '.',
      );
    case 'given-up':
      return `The vote of ${cause.participant} is not known, and its coordinator does not wait for it: ${cause.reason}.`.replace(
        '..',
        '.',
      );
    case 'idempotency-key':
      return `Transaction ${cause.winner} committed under the same idempotency key.`;
    case 'operator':
      return `An operator aborted it: ${cause.reason}.`.replace('..', '.');
    case 'undetermined':
      return 'An abort was found in the decision register.';
  }
}

const NEXT: Partial<Record<AbortCause['kind'], string>> = {
  unreachable: 'The same work may succeed as a new transaction once one is connected.',
  'rollback-requested': 'Begin a new transaction if the work is wanted after all.',
  'idempotency-key': 'A repeat of the request gets its result.',
  operator: 'Ask the operator before you begin it again.',
};

/** What the client of an aborted transaction does next. */
export function afterAbort(cause: AbortCause): string {
  const next = NEXT[cause.kind];
  if (next !== undefined) return next;
  if (isRetryable(cause)) return 'The same work may succeed as a new transaction.';
  return 'The same work would meet the same refusal; change it first.';
}

/** Whether the same work may succeed as a new transaction. */
export function isRetryable(cause: AbortCause): boolean {
  switch (cause.kind) {
    case 'vote':
      return cause.vote.retryable;
    case 'unreachable':
    case 'deadline':
    case 'doubtful-work':
    case 'given-up':
    case 'undetermined':
      return true;
    case 'rollback-requested':
    case 'idempotency-key':
    case 'operator':
      return false;
  }
}
