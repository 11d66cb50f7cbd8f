/**
 * Server-sent events, as the HTML standard writes them (§9.2). Guards "a slow reader is waited for": the
 * next text is asked for once the client has taken the one before, so nothing piles up for it, and a client
 * that has gone ends the stream. Why not Nest's `@Sse()`: docs/adr/0053.
 */
import type { ServerResponse } from 'node:http';

const CONTENT_TYPE = 'text/event-stream; charset=utf-8';
const RECONNECT_MS = 1_000;

/** A stream is quiet for no longer than this: proxies end a connection that is. */
export const HEARTBEAT_MS = 15_000;

/** One event. `id` is what a client sends as `Last-Event-ID` when it comes back. */
export function eventText(id: string | number, type: string, data: unknown): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** What clients ignore, and proxies take for life. */
export function commentText(words = ''): string {
  return `: ${words}\n\n`;
}

/** The answer to HEAD: what GET would begin with. */
export function answerHead(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': CONTENT_TYPE }).end();
}

/**
 * Answers with these texts, and ends with them, or when the client is gone: then the source is ended too
 * (its `finally` runs). A source that waits watches for that itself, see {@link onGone}.
 */
export async function sendEvents(
  response: ServerResponse,
  texts: AsyncIterable<string>,
): Promise<void> {
  try {
    response.writeHead(200, {
      'Content-Type': CONTENT_TYPE,
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
    await write(response, `retry: ${RECONNECT_MS}\n\n`);
    for await (const text of texts) {
      await write(response, text);
      if (response.destroyed) return;
    }
  } finally {
    response.end();
  }
}

/** Calls the listener when the client is gone, at once if it went before. Returns how to stop that. */
export function onGone(response: ServerResponse, listener: () => void): () => void {
  if (response.destroyed) listener();
  response.once('close', listener);
  return () => response.off('close', listener);
}

/** Resolves once the client takes more; at once when it is gone. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
