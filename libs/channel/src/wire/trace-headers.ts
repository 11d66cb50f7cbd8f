/**
 * Trace context in NATS headers (W3C Trace Context). Header names are written in one spelling and
 * read case-insensitively, because NATS itself compares them byte by byte and other clients spell
 * them `Traceparent`. An invalid trace context is dropped: it concerns the tracer only, so it never refuses a
 * message.
 */
import type { TraceContext } from '@concordat/engine';
import { headers, Match, type MsgHdrs } from '@nats-io/nats-core';

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?$/;
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

export function traceHeaders(trace: TraceContext | undefined): MsgHdrs | undefined {
  const parent = trace?.['traceparent'];
  if (parent === undefined || !TRACEPARENT.test(parent)) return undefined;
  const carried = headers();
  carried.set('traceparent', parent);
  const state = trace?.['tracestate'];
  if (state !== undefined && TRACESTATE.test(state)) carried.set('tracestate', state);
  return carried;
}

export function traceOf(carried: MsgHdrs | undefined): TraceContext | undefined {
  if (!carried) return undefined;
  const parent = carried.values('traceparent', Match.IgnoreCase)[0];
  if (parent === undefined || !TRACEPARENT.test(parent)) return undefined;
  const state = carried.values('tracestate', Match.IgnoreCase)[0];
  if (state === undefined || !TRACESTATE.test(state)) return { traceparent: parent };
  return { traceparent: parent, tracestate: state };
}

/** Bytes that the headers take on the wire: they count against the broker's limit. */
export function headerBytes(carried: MsgHdrs | undefined): number {
  if (!carried) return 0;
  let bytes = 'NATS/1.0\r\n\r\n'.length;
  for (const key of carried.keys()) {
    for (const value of carried.values(key)) bytes += key.length + value.length + ': \r\n'.length;
  }
  return bytes;
}
