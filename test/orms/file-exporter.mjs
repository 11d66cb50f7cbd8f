// Loaded into a service with `node --import`, as a host loads its own tracing: the OpenTelemetry SDK, and
// an exporter that writes one line for each span into the file that TRACE_FILE names.
import { appendFileSync } from 'node:fs';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const file = process.env['TRACE_FILE'];
const exporter = {
  export(spans, done) {
    for (const span of spans) {
      const { name, attributes, parentSpanContext, links } = span;
      const { traceId, spanId } = span.spanContext();
      const line = {
        ...{ name, traceId, spanId, parent: parentSpanContext?.spanId, attributes },
        links: links.map(({ context: linked }) => linked.traceId),
      };
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
