/** Whose session a request has: the one that this host has set, not one that a neighbour has planted. */
import type { IncomingMessage } from 'node:http';
import { AdminSessions } from './admin-sessions.js';
import { SystemClock } from '@concordat/channel';
import { generateKey } from '../platform/api-key.js';
import { EndedSessions } from './ended-sessions.js';
import { KeyRing } from './key-ring.js';

const [ada, eve] = [generateKey('ada', 'operator'), generateKey('eve', 'operator')];
const sessions = new AdminSessions(
  new KeyRing([ada.stored, eve.stored]),
  new Uint8Array(32).fill(7),
  () => 1_000,
  new EndedSessions({ end: async () => undefined, all: async () => [] }, new SystemClock()),
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

  it('is bound to its host with HTTPS: a plain cookie, which a neighbouring host can plant, is none', () => {
    expect(whose(`${eves}; ${adas}`, true)).toBe('ada');
    expect(whose(eves, true)).toBeUndefined();
  });

  it('ends when it is signed out, and another of the same key does not', async () => {
    const [first, second] = [0, 1].map(() =>
      valueOf(sessions.open({ id: 'ada', scope: 'operator' }, false)),
    ) as [string, string];
    expect(whose(first, false)).toBe('ada');
    const request = { headers: { cookie: first }, socket: {} } as IncomingMessage;
    const seen = sessions.of(request);
    await sessions.end(request);
    expect(whose(first, false)).toBeUndefined();
    expect(seen?.isOver()).toBe(true);
    expect(whose(second, false)).toBe('ada');
  });
});
