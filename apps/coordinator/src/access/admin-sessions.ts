/**
 * Sessions of the admin view: a client that signed in with a key gets a cookie instead of keeping the key
 * in the browser. Guards "a removed key ends its sessions": the cookie names the key and is sealed with the
 * cluster's session secret over the key's stored hash, so that another hash, another scope or another
 * cluster makes it worthless. The key file alone is not enough to forge one. Guards also "signing out
 * ends the session, not only the cookie": what is stored is which sessions were ended before their time.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { EndedSessions } from './ended-sessions.js';
import type { KeyRing, Principal } from './key-ring.js';

export const SESSION_MS = 8 * 60 * 60_000;

/** The browser keeps the second one for HTTPS, this host and no other only. */
const COOKIES = ['concordat-admin', '__Host-concordat-admin'] as const;

export interface AdminSession {
  readonly principal: Principal;
  readonly endsAtMs: number;
  /** Whether it was ended before its time, as far as is known here. */
  isOver(): boolean;
}

export class AdminSessions {
  constructor(
    private readonly keys: KeyRing,
    private readonly secret: Uint8Array,
    private readonly now: () => number,
    private readonly ended: EndedSessions,
  ) {}

  /** Resolves once it is known which sessions other coordinators have ended, or soon if it cannot be. */
  upToDate(): Promise<void> {
    return this.ended.upToDate();
  }

  /** The `Set-Cookie` value of a new session. */
  open(principal: Principal, isHttps: boolean): string {
    const endsAtMs = this.now() + SESSION_MS;
    const nonce = randomBytes(12).toString('base64url'); // Two of one key are two sessions.
    const seal = this.seal(principal.id, endsAtMs, nonce);
    if (seal === undefined) throw new Error(`no stored key has the id ${principal.id}`);
    const value = `${principal.id}:${endsAtMs}:${nonce}:${seal}`;
    return cookie(isHttps, value, Math.floor(SESSION_MS / 1_000));
  }

  /** The `Set-Cookie` values that end any session the browser holds. */
  close(): string[] {
    return [cookie(false, '', 0), cookie(true, '', 0)];
  }

  /** Ends the session of a request, if it has one. Rejects with `RegisterUnknown`: then it has ended here only. */
  async end(request: IncomingMessage): Promise<void> {
    const found = this.find(request);
    if (found) await this.ended.end(found.digest, found.endsAtMs);
  }

  /** The session of a request's cookie, or undefined when it has none that holds. */
  of(request: IncomingMessage): AdminSession | undefined {
    const found = this.find(request);
    if (!found || this.ended.has(found.digest)) return undefined;
    const { principal, endsAtMs, digest } = found;
    return { principal, endsAtMs, isOver: () => this.ended.has(digest) };
  }

  private find(request: IncomingMessage) {
    for (const value of cookieValues(request.headers.cookie, isHttps(request))) {
      const [id = '', endsAt = '', nonce = '', seal = ''] = value.split(':');
      if (!/^\d{1,15}$/.test(endsAt) || Number(endsAt) <= this.now()) continue;
      const expected = this.seal(id, Number(endsAt), nonce);
      if (expected === undefined || !isSame(seal, expected)) continue;
      const principal = this.keys.byId(id)?.principal;
      // Stored is a hash, which opens nothing.
      const digest = createHash('sha256').update(seal).digest('hex');
      if (principal) return { principal, endsAtMs: Number(endsAt), digest };
    }
    return undefined;
  }

  private seal(id: string, endsAtMs: number, nonce: string): string | undefined {
    const stored = this.keys.byId(id);
    if (!stored) return undefined;
    const { principal, sha256 } = stored;
    const sealed = ['admin session 2', id, principal.scope, sha256, endsAtMs, nonce];
    return createHmac('sha256', this.secret).update(sealed.join('\n')).digest('base64url');
  }
}

/** Whether the browser speaks HTTPS, to us or to the proxy that terminates TLS in front. */
export function isHttps(request: IncomingMessage): boolean {
  if ('encrypted' in request.socket) return true;
  const forwarded = request.headers['x-forwarded-proto'];
  const first = (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0];
  return first?.trim().toLowerCase() === 'https';
}

function cookie(forHttps: boolean, value: string, maxAgeS: number): string {
  const [plain, host] = COOKIES;
  const name = forHttps ? host : plain;
  // The __Host- prefix demands the whole host and Secure; without TLS the path narrows it instead.
  const where = forHttps ? 'Path=/; Secure' : 'Path=/v1/admin';
  return `${name}=${value}; ${where}; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict`;
}

/**
 * With HTTPS only the cookie that this same host has set: the plain one can be planted by any other host of
 * the same domain, and actions would then be done, and audited, under another user's name.
 */
function cookieValues(header: string | undefined, forHttps: boolean): string[] {
  const [plain, host] = COOKIES;
  return (header ?? '').split(';').flatMap((pair) => {
    const [name = '', ...value] = pair.trim().split('=');
    const isOurs = name === host || (name === plain && !forHttps);
    return isOurs ? [value.join('=')] : [];
  });
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
