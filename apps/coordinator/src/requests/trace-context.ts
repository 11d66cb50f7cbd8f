/**
 * W3C trace context of a request. Guards "carried, never trusted": a malformed header is dropped, as
 * the specification asks, and never reaches a message.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { TraceContext } from '@concordat/engine';

const parent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const state = /^[\x20-\x7e]{1,512}$/;

export function traceOf(headers: IncomingHttpHeaders): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || !parent.test(traceparent)) return undefined;
  const isStateFit = typeof tracestate === 'string' && state.test(tracestate);
  return { traceparent, ...(isStateFit ? { tracestate } : {}) };
}
