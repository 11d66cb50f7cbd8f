/** Who is told what of who holds a lock. */
import type { WaitHolder } from '@concordat/engine';
import { holderResource } from './wait-resource.js';

const psql: WaitHolder = { kind: 'session', pid: 42, application: 'psql', user: 'ada' };

describe('Who holds a lock', () => {
  it('is told with the process and user of a session to viewers alone', () => {
    expect(holderResource(psql)).toEqual(psql);
    expect(holderResource(psql, { isOperator: false })).toEqual({ kind: 'session' });
    const gid = { kind: 'prepared', gid: 'theirs' } as const;
    expect(holderResource(gid, { isOperator: false })).toEqual({ kind: 'prepared' });
  });
});
