/**
 * Writes a reply's status and headers to the response and passes its body to Nest. Also reads
 * headers as controllers want them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** An answer before it is written to a response. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

export function send(response: ServerResponse, reply: Reply): unknown {
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value);
  return reply.body;
}

/** A header that makes sense only once. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
