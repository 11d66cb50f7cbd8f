/**
 * How much of a body is read, by client. Guards "the key is checked before a body is read": a body without a
 * key is not read, on any path and with any method, whether a route serves it or not; what needs no key and has a
 * body all the same, signing in, gets what a key takes. Who may do what is the guard's to say, later.
 */
import type { IncomingMessage } from 'node:http';
import { AdminSessions } from './admin-sessions.js';
import { KeyRing } from './key-ring.js';

/** Much more than a key and its JSON need. */
export const SIGN_IN_BYTES_MAX = 4_096;

const SIGN_IN = /^\/v1\/admin\/session\/?(\?|$)/i;

export interface Allowance {
  /** The client that the bytes are counted for. */
  readonly owner: string;
  readonly bytesMax: number;
}

export class BodyAllowance {
  constructor(
    private readonly keys: KeyRing,
    private readonly sessions: AdminSessions,
    private readonly bytesMax: number,
  ) {}

  /** Whose body it is and how large it may be; undefined when it is not to be read. */
  of(request: IncomingMessage): Allowance | undefined {
    if (request.method === 'POST' && SIGN_IN.test(request.url ?? '')) {
      return { owner: 'sign-in', bytesMax: SIGN_IN_BYTES_MAX };
    }
    const presented = this.keys.presentedBy(request);
    const principal =
      presented.kind === 'none'
        ? this.sessions.of(request)?.principal
        : presented.kind === 'known'
          ? presented.principal
          : undefined;
    return principal && { owner: `key ${principal.id}`, bytesMax: this.bytesMax };
  }
}
