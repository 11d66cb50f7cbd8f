/**
 * Server-sent events over fetch, parsed as the HTML standard says (§9.2.6): fields by line, events by
 * empty line, comments ignored. Guards "a timeline has no gaps": the id of each event comes with it,
 * so that the caller resumes after exactly that one.
 */
export interface ServerSentEvent {
  readonly id: string;
  readonly data: string;
}

/** The events of a response body, until it ends or is cut. */
export async function* serverSentEvents(response: Response): AsyncGenerator<ServerSentEvent> {
  if (!response.body) return;
  let id = '';
  let data: string[] = [];
  for await (const line of lines(response.body)) {
    if (line === '') {
      if (data.length > 0) yield { id, data: data.join('\n') };
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    if (field === 'id') id = value;
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        // A return at the very end was kept back in case a line feed followed. Anything else that is
        // left is an incomplete line, of an incomplete event, and dropped.
        if (rest.endsWith('\r')) yield rest.slice(0, -1);
        return;
      }
      rest += decoder.decode(value, { stream: true });
      const complete = rest.split(/\r\n|\n|\r(?!$)/);
      rest = complete.pop() ?? '';
      yield* complete;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
