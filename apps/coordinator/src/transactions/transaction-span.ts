/**
 * The spans of later requests about a transaction: work, commit, rollback. Guards "one trace shows a
 * transaction": such a request is part of the trace in which its transaction was begun. One that comes in a
 * trace of its own stays in that, with a link to the transaction's.
 */
import { inSpan } from '@concordat/channel';
import type { TraceContext } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type { IncomingMessage } from 'node:http';
import { traceOf } from '../requests/trace-context.js';

/**
 * Answers a request in a span `concordat request <what>`. `own` is the transaction's trace, as far as it is
 * known here: a coordinator that forwards the request does not know it.
 */
export function inTransaction<T>(
  what: 'work' | 'commit' | 'rollback',
  transaction: TransactionId,
  own: TraceContext | undefined,
  { headers }: IncomingMessage,
  body: () => Promise<T>,
): Promise<T> {
  const trace = traceOf(headers) ?? own;
  const attributes = { 'concordat.transaction': transaction };
  return inSpan(`concordat request ${what}`, { trace, link: own, attributes }, body);
}
