/** Whose session a request has: the one that this host has set, not one that a neighbour has planted. */
import type { IncomingMessage } from 'node:http';
import { AdminSessions } from './admin-sessions.js';
import { generateKey } from './api-key.js';
import { KeyRing } from './key-ring.js';

const [ada, eve] = [generateKey('ada', 'operator'), generateKey('eve', 'operator')];
const sessions = new AdminSessions(
  new KeyRing([ada.stored, eve.stored]),
  new Uint8Array(32).fill(7),
  () => 1_000,
);

const valueOf = (cookie: string): string => cookie.split(';')[0] as string;
const adas = valueOf(sessions.open({ id: 'ada', scope: 'operator' }, true));
const eves = valueOf(sessions.open({ id: 'eve', scope: 'operator' }, false));

function whose(cookie: string, isHttps: boolean): string | undefined {
  const headers = { cookie, ...(isHttps ? { 'x-forwarded-proto': 'https' } : {}) };
  return sessions.of({ headers, socket: {} } as IncomingMessage)?.principal.id;
}

describe('A session', () => {
  it('is the one of the cookie, with HTTPS and without', () => {
    expect(whose(adas, true)).toBe('ada');
    expect(whose(eves, false)).toBe('eve');
  });

  it('is nobody else’s with HTTPS: a plain cookie, which a neighbouring host can plant, is none', () => {
    expect(whose(`${eves}; ${adas}`, true)).toBe('ada');
    expect(whose(eves, true)).toBeUndefined();
  });
});
