/**
 * What an answer over HTTP says for certain, and nothing more. Guards "clients are pessimistic": only
 * what the product documents as final is final (200, the problem transaction-aborted, and problems
 * that promise that nothing was begun); a time-out, a broken connection or anything else is unknown.
 */
import type { Fail, Info, Ok, Stamp } from '../checker/history.js';

type Bare<E> = Omit<E, keyof Stamp | 'attempt'>;
export type Told = Bare<Ok> | Bare<Fail> | Bare<Info>;

export interface HttpAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Problems of which /problems says that nothing was begun. */
const NOTHING_BEGUN: ReadonlySet<string> = new Set([
  'invalid-request',
  'malformed-request',
  'idempotency-key-reused',
  'too-many-transactions',
  'too-many-transactions-of-key',
  'too-many-begins-of-key',
  'too-many-bytes-of-key',
  'too-many-bytes',
  'too-many-body-bytes',
  'too-many-requests',
  'register-unavailable',
  'broker-unavailable',
  'clock-off',
  'shutting-down',
]);

/** The answer to a whole transaction in one call. */
export function toldBySubmit(answer: HttpAnswer, asked: 'decided' | 'completed'): Told {
  const { status, body } = answer;
  const transaction = text(body['transactionId']);
  if (status === 200 || status === 202) {
    // 202: the moment that was asked for has not come, but perhaps the earlier one has.
    return toldByTransaction(body, status === 200 ? asked : 'decided');
  }
  const code = text(body['code']) ?? `status ${status}`;
  if (code === 'transaction-aborted' && transaction !== undefined) {
    return { type: 'fail', transaction, code, ...causeOf(body) };
  }
  if (NOTHING_BEGUN.has(code)) return { type: 'fail', code };
  return { type: 'info', why: code, ...(transaction === undefined ? {} : { transaction }) };
}

/** What a transaction as the coordinator shows it says of its decision. */
export function toldByTransaction(
  body: Readonly<Record<string, unknown>>,
  moment: 'decided' | 'completed',
): Told {
  const transaction = text(body['transactionId']);
  const status = text(body['status']) ?? 'no status';
  if (transaction === undefined) return { type: 'info', why: 'an answer without transaction' };
  const isPlain = !status.startsWith('heuristic');
  if (isPlain && body['decision'] === 'commit') {
    const outputs = outputsOf(body['branches']);
    return { type: 'ok', transaction, told: 'committed', moment, ...(outputs ? { outputs } : {}) };
  }
  if (isPlain && body['decision'] === 'abort') {
    return { type: 'ok', transaction, told: 'aborted', moment };
  }
  return { type: 'info', transaction, why: status };
}

export function unknown(error: unknown, transaction?: string): Told {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { type: 'info', why, ...(transaction === undefined ? {} : { transaction }) };
}

function causeOf(body: Readonly<Record<string, unknown>>): { cause?: string } {
  const cause = body['cause'] as { kind?: string; code?: string } | undefined;
  if (cause?.kind === undefined) return {};
  return { cause: cause.code === undefined ? cause.kind : `${cause.kind} ${cause.code}` };
}

/** Outputs per participant, when every branch shows its own. */
function outputsOf(branches: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(branches)) return undefined;
  const all = branches as { participant?: string; outputs?: unknown }[];
  if (all.length === 0 || all.some((one) => one.outputs === undefined)) return undefined;
  return Object.fromEntries(all.map((one) => [one.participant ?? '?', one.outputs]));
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
