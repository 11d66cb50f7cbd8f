/** Which limits a participant is refused for, before it opens anything. */
import pg from 'pg';
import { createParticipant } from '../index.js';

const NOTHING = { name: 'nothing', run: () => Promise.resolve() };

const limits = (given: object) => () =>
  createParticipant({
    ...{ name: 'shop', natsUrl: 'nats://127.0.0.1:9', operations: [NOTHING] },
    database: { pool: new pg.Pool({ host: '127.0.0.1', port: 9, max: 8 }) },
    ...given,
  });

describe('A participant', () => {
  it.each([
    [{ sessionsMax: 0 }, 'sessionsMax 0 is refused: give a whole number, 1 or more'],
    [{ inDoubtMax: -1 }, 'inDoubtMax -1 is refused'],
    [{ lockWaitersMax: 1.5 }, 'lockWaitersMax 1.5 is refused'],
    [{ lockWaitersMax: Number.NaN }, 'lockWaitersMax NaN is refused'],
    [{ sessionsMax: 4, lockWaitersMax: 5 }, 'lockWaitersMax 5 is refused: at most 4 branches'],
  ])('with the limits %j is refused by the name of the limit', (given, why) => {
    expect(limits(given)).toThrow(why);
  });

  it('with more waiters than its pool has connections is refused when it starts', async () => {
    const start = limits({ lockWaitersMax: 9 })().start();
    await expect(start).rejects.toThrow('lockWaitersMax 9 is refused: at most 8 branches');
  });

  it('is content with what can be', () => {
    expect(limits({})).not.toThrow();
    expect(limits({ sessionsMax: 4, lockWaitersMax: 4, inDoubtMax: 1 })).not.toThrow();
  });
});
