/**
 * From any thrown value to the problem that a client gets, the framework's own errors excepted. Guards "never
 * a stack trace": an unexpected exception is logged with its stack, and returned only as `internal`, with the
 * hint that a transaction's outcome may be unknown.
 */
import { RegisterUnknown, Refusal } from '@concordat/engine';
import { Problem } from './problem.js';
import { refusalProblem } from './refusal-problem.js';

export interface ErrorLog {
  error(text: string): void;
}

export function problemOf(thrown: unknown, log: ErrorLog): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof Refusal) return refusalProblem(thrown);
  if (thrown instanceof RegisterUnknown) {
    return new Problem(
      'register-unavailable',
      'The decision database does not answer. What is on record is unknown now; ask again.',
      { retryAfterMs: 1_000 },
    );
  }
  log.error(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  return new Problem(
    'internal',
    'The coordinator failed while it handled this request. If the request was about a transaction, ' +
      'its outcome is unknown to this answer: ask for it by its id, or repeat with the same Idempotency-Key.',
  );
}
