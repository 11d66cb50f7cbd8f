/**
 * Sessions of the admin view: who signed in with a key gets a cookie instead of keeping the key in the
 * browser. Guards "a removed key ends its sessions": nothing is stored, the cookie names the key and is
 * sealed with the cluster's session secret over the key's stored hash, so that another hash, another
 * scope or another cluster makes it worthless. Whoever reads the key file alone cannot forge one.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { KeyRing, Principal } from './key-ring.js';

export const SESSION_MS = 8 * 60 * 60_000;

/** The browser keeps the second one for HTTPS, this host and no other only. */
const COOKIES = ['concordat-admin', '__Host-concordat-admin'] as const;

export interface AdminSession {
  readonly principal: Principal;
  readonly endsAtMs: number;
}

export class AdminSessions {
  constructor(
    private readonly keys: KeyRing,
    private readonly secret: Uint8Array,
    private readonly now: () => number,
  ) {}

  /** The `Set-Cookie` value of a new session. */
  open(principal: Principal, isHttps: boolean): string {
    const endsAtMs = this.now() + SESSION_MS;
    const seal = this.#seal(principal.id, endsAtMs);
    if (seal === undefined) throw new Error(`no stored key has the id ${principal.id}`);
    const value = `${principal.id}:${endsAtMs}:${seal}`;
    return cookie(isHttps, value, Math.floor(SESSION_MS / 1_000));
  }

  /** The `Set-Cookie` values that end whatever session the browser holds. */
  close(): string[] {
    return [cookie(false, '', 0), cookie(true, '', 0)];
  }

  /** The session of a request's cookie, or undefined when it has none that holds. */
  of(request: IncomingMessage): AdminSession | undefined {
    for (const value of cookieValues(request.headers.cookie, isHttps(request))) {
      const [id = '', endsAt = '', seal = ''] = value.split(':');
      if (!/^\d{1,15}$/.test(endsAt) || Number(endsAt) <= this.now()) continue;
      const expected = this.#seal(id, Number(endsAt));
      if (expected === undefined || !isSame(seal, expected)) continue;
      const principal = this.keys.byId(id)?.principal;
      if (principal) return { principal, endsAtMs: Number(endsAt) };
    }
    return undefined;
  }

  #seal(id: string, endsAtMs: number): string | undefined {
    const stored = this.keys.byId(id);
    if (!stored) return undefined;
    const sealed = ['admin session 1', id, stored.principal.scope, stored.sha256, endsAtMs];
    return createHmac('sha256', this.secret).update(sealed.join('\n')).digest('base64url');
  }
}

/** Whether the browser speaks HTTPS, to us or to whoever terminates TLS in front. */
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
 * With HTTPS only the cookie that this very host has set: the plain one can be planted by any other host
 * of the same domain, and whoever acts then would act, and be audited, as somebody else.
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
