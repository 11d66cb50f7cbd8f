/**
 * The NATS client protocol: lines, of which PUB, HPUB, MSG and HMSG are followed by as many bytes of
 * headers and payload as they say.
 */
import type { Frame, Framer, Side, WireProtocol } from './frame.js';

const LINE_END = '\r\n';
const CARRYING = new Set(['PUB', 'HPUB', 'MSG', 'HMSG']);

class NatsFramer implements Framer {
  private readonly rest: Record<Side, Buffer> = {
    client: Buffer.alloc(0),
    server: Buffer.alloc(0),
  };

  push(from: Side, chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = Buffer.concat([this.rest[from], chunk]);
    for (;;) {
      const frame = first(from, rest);
      if (!frame) break;
      frames.push(frame);
      rest = rest.subarray(frame.bytes.length);
    }
    this.rest[from] = rest;
    return frames;
  }
}

/** The first whole frame of a buffer, if there is one. */
function first(from: Side, buffer: Buffer): Frame | undefined {
  const lineEnd = buffer.indexOf(LINE_END);
  if (lineEnd < 0) return undefined;
  const bodyAt = lineEnd + LINE_END.length;
  const [verb = '', subject = '', ...more] = buffer.toString('latin1', 0, lineEnd).split(/[ \t]+/);
  const kind = verb.toUpperCase();
  if (!CARRYING.has(kind)) {
    return { from, kind, about: subject, text: '', bytes: buffer.subarray(0, bodyAt) };
  }
  const bodyBytes = Number(more.at(-1));
  const headerBytes = kind.startsWith('H') ? Number(more.at(-2)) : 0;
  const end = bodyAt + bodyBytes + LINE_END.length;
  if (buffer.length < end) return undefined;
  return {
    from,
    kind,
    about: subject,
    text: buffer.toString('utf8', bodyAt + headerBytes, bodyAt + bodyBytes),
    bytes: buffer.subarray(0, end),
  };
}

export const NATS: WireProtocol = {
  name: 'NATS',
  unit: 'messages',
  framer: () => new NatsFramer(),
};
