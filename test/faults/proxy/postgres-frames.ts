/**
 * The Postgres frontend/backend protocol, version 3, in the clear: start-up packets without a type
 * byte, then typed messages, pipelined or not. Statements are followed by name, so that an Execute
 * and the answer to it are known by their SQL, also where it was parsed long before.
 */
import type { Frame, Framer, Side, WireProtocol } from './frame.js';

/** SSLRequest and GSSENCRequest: answered by one bare byte, after which start-up begins again. */
const ENCRYPTION_REQUESTS = new Set([80_877_103, 80_877_104]);

/** A statement the server has not answered yet, or the Sync that ends its pipeline. */
interface Awaited {
  readonly kind: 'Q' | 'E' | 'S';
  readonly sql: string;
}

class PostgresFramer implements Framer {
  private readonly rest: Record<Side, Buffer> = {
    client: Buffer.alloc(0),
    server: Buffer.alloc(0),
  };
  private started = false;
  private bareAnswers = 0;
  private readonly statements = new Map<string, string>();
  private readonly portals = new Map<string, string>();
  private readonly awaited: Awaited[] = [];

  push(from: Side, chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = Buffer.concat([this.rest[from], chunk]);
    for (;;) {
      const frame = this.first(from, rest);
      if (!frame) break;
      frames.push(frame);
      rest = rest.subarray(frame.bytes.length);
    }
    this.rest[from] = rest;
    return frames;
  }

  private first(from: Side, buffer: Buffer): Frame | undefined {
    if (from === 'client' && !this.started) return this.startUp(buffer);
    if (from === 'server' && this.bareAnswers > 0) {
      if (buffer.length === 0) return undefined;
      this.bareAnswers -= 1;
      return { from, kind: 'bare', about: '', text: '', bytes: buffer.subarray(0, 1) };
    }
    if (buffer.length < 5) return undefined;
    const end = 1 + buffer.readInt32BE(1);
    if (buffer.length < end) return undefined;
    const kind = String.fromCharCode(buffer[0] as number);
    const bytes = buffer.subarray(0, end);
    const body = bytes.subarray(5);
    const about = from === 'client' ? this.asked(kind, body) : this.answered(kind);
    const text = from === 'server' && (kind === 'C' || kind === 'E') ? readable(body) : '';
    return { from, kind, about, text, bytes };
  }

  private startUp(buffer: Buffer): Frame | undefined {
    if (buffer.length < 8) return undefined;
    const end = buffer.readInt32BE(0);
    if (buffer.length < end) return undefined;
    if (ENCRYPTION_REQUESTS.has(buffer.readInt32BE(4))) this.bareAnswers += 1;
    else this.started = true;
    const bytes = buffer.subarray(0, end);
    return { from: 'client', kind: 'startup', about: '', text: readable(bytes), bytes };
  }

  /** The SQL a client's message is about; remembers what later ones refer to. */
  private asked(kind: string, body: Buffer): string {
    const [first = '', second = ''] = body.toString('utf8').split('\0', 2);
    switch (kind) {
      case 'Q':
        return this.awaitAnswer('Q', first);
      case 'P':
        this.statements.set(first, second);
        return second;
      case 'B': {
        const sql = this.statements.get(second) ?? '';
        this.portals.set(first, sql);
        return sql;
      }
      case 'E':
        return this.awaitAnswer('E', this.portals.get(first) ?? '');
      case 'S':
        return this.awaitAnswer('S', '');
      default:
        return '';
    }
  }

  private awaitAnswer(kind: Awaited['kind'], sql: string): string {
    this.awaited.push({ kind, sql });
    return sql;
  }

  /** The SQL a server's message answers. */
  private answered(kind: string): string {
    const [current] = this.awaited;
    if (kind === 'Z') {
      // Ready: everything up to the query or the Sync that asked for it is over, answered or skipped.
      const end = this.awaited.findIndex((one) => one.kind !== 'E');
      this.awaited.splice(0, end + 1);
    } else if (kind === 'C' && current?.kind === 'E') {
      this.awaited.shift();
    }
    return current?.sql ?? '';
  }
}

function readable(bytes: Buffer): string {
  return bytes.toString('utf8').replaceAll('\0', ' ').trim();
}

export const POSTGRES: WireProtocol = {
  name: 'Postgres',
  unit: 'stream',
  framer: () => new PostgresFramer(),
};
