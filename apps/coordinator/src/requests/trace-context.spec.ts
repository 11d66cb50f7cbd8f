/** Trace context is carried when it is well formed, and dropped when it is not. */
import { traceOf } from './trace-context.js';

describe('The trace context of a request', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('is carried with its state', () => {
    expect(traceOf({ traceparent, tracestate: 'a=1' })).toEqual({ traceparent, tracestate: 'a=1' });
    expect(traceOf({ traceparent })).toEqual({ traceparent });
  });

  it.each([
    undefined,
    '',
    'x',
    traceparent.toUpperCase(),
    `ff${traceparent.slice(2)}`,
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    `${traceparent}\r\nX: y`,
  ])('is dropped when its parent is %j', (parent) => {
    expect(traceOf({ traceparent: parent })).toBeUndefined();
  });

  it('loses a state that is too long or not printable', () => {
    expect(traceOf({ traceparent, tracestate: 'a'.repeat(513) })).toEqual({ traceparent });
    expect(traceOf({ traceparent, tracestate: 'a\nb' })).toEqual({ traceparent });
  });
});
