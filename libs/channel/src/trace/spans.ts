/**
 * Spans of the work that a transaction makes, through `@opentelemetry/api`, if the host has it. Guards
 * "one trace shows a transaction": a span goes on from the trace context that came with the message, and
 * what is sent from inside of it carries on from the span. The SDK and its exporter are the host's; without
 * them nothing is made, and the trace context is passed on as it came.
 */
import type { TraceContext } from '@concordat/engine';
import type * as Api from '@opentelemetry/api';

let api: typeof Api | undefined;
void import('@opentelemetry/api').then(
  (loaded) => (api = loaded),
  () => undefined, // An optional peer: the host does not trace.
);

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const SCOPE = 'concordat';

export interface SpanOptions {
  /** `server` for what answers a request or a message, `internal` for the rest. */
  readonly kind?: 'server' | 'internal';
  /** The trace context that came with the request. */
  readonly trace?: TraceContext;
  /** Another trace that this belongs to: the span links to it, unless it is part of it. */
  readonly link?: TraceContext;
  readonly attributes?: Readonly<Record<string, string | number>>;
}

/**
 * Runs `body` in a span, and gives it the trace context to carry on with: the span's, or the given one
 * where nothing is traced. An error that `body` throws is recorded and thrown. `describe` reads attributes
 * from what it returns.
 */
export async function inSpan<T>(
  name: string,
  { kind = 'server', trace, link, attributes }: SpanOptions,
  body: (trace: TraceContext | undefined) => Promise<T>,
  describe: (result: T) => Readonly<Record<string, string>> = () => ({}),
): Promise<T> {
  if (!api) return body(trace);
  const { SpanKind, SpanStatusCode, context, trace: tracing } = api;
  const spanKind = kind === 'server' ? SpanKind.SERVER : SpanKind.INTERNAL;
  const within = parentOf(api, trace);
  const links = linksTo(link, tracing.getSpanContext(within));
  const how = { kind: spanKind, attributes, links };
  const span = tracing.getTracer(SCOPE).startSpan(name, how, within);
  if (!span.isRecording()) return body(trace);
  try {
    const result = await context.with(tracing.setSpan(within, span), () =>
      body(carried(span.spanContext(), trace)),
    );
    span.setAttributes(describe(result));
    return result;
  } catch (error) {
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** The span that is active here, if it belongs to the trace that came; else what came. */
function parentOf({ ROOT_CONTEXT, context, trace: tracing }: typeof Api, came?: TraceContext) {
  const active = tracing.getSpanContext(context.active());
  const remote = read(came);
  if (!remote) return came ? ROOT_CONTEXT : context.active();
  if (active?.traceId === remote.traceId) return context.active();
  return tracing.setSpanContext(ROOT_CONTEXT, remote);
}

/** A link to a trace, unless the parent is in it. */
function linksTo(link: TraceContext | undefined, parent: Api.SpanContext | undefined): Api.Link[] {
  const context = read(link);
  return context && context.traceId !== parent?.traceId ? [{ context }] : [];
}

function read(trace: TraceContext | undefined): Api.SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(trace?.['traceparent'] ?? '') ?? [];
  if (!traceId || !spanId) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags ?? '00', 16), isRemote: true };
}

function carried({ traceId, spanId, traceFlags }: Api.SpanContext, came?: TraceContext) {
  const flags = traceFlags.toString(16).padStart(2, '0');
  const tracestate = came?.['tracestate'];
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    ...(tracestate === undefined ? {} : { tracestate }),
  };
}
